"""A package such as an upgrade brings: its script restarts what the cluster runs on, and notes how it found it."""

from __future__ import annotations

import shlex

_SOURCE = r"""
set -e
mkdir -p /root/restarter/DEBIAN /srv/extra && cd /root
printf 'Package: restarter\nVersion: 1\nArchitecture: all\n' >restarter/DEBIAN/control
printf 'Maintainer: nobody <n@example.org>\nDescription: restarts\n' >>restarter/DEBIAN/control
printf '#!/bin/sh\n%s\n' "$script" >restarter/DEBIAN/postinst
chmod 755 restarter/DEBIAN/postinst
dpkg-deb --root-owner-group --build restarter /srv/extra/restarter.deb >/dev/null
cd /srv/extra
{ dpkg-deb --field restarter.deb; echo 'Filename: ./restarter.deb'; echo "Size: $(stat -c %s restarter.deb)"
  echo "SHA256: $(sha256sum restarter.deb | cut -d' ' -f1)"; } >Packages
echo 'deb [trusted=yes] file:/srv/extra ./' >/etc/apt/sources.list.d/extra.list
apt-get -qq update
"""


def offered(script: str) -> str:
    """What, run as root, has a node's apt offer the package ``restarter``, which runs this when it is installed."""
    return f"script={shlex.quote(script)}\n{_SOURCE}"
