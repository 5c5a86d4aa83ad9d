"""A release of packages that a node has, with higher versions and changed configuration files, made from those it has.

So that an upgrade of the system does on the lab's nodes what it does elsewhere: the packages' scripts stop and start
services, and dpkg finds new versions of files that the site has written.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.errors import LabError
from tests.cluster import lab_site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

SOURCES = ("squid", "pacemaker", "corosync", "sbd", "drbd-utils", "resource-agents", "chrony", "mdadm", "nbd")
"""Source packages of what a site runs on; those of its engine are on a node."""
MARK = "+newer"

_UPGRADE = rf"""
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
work=/var/tmp/newer
rm -rf $work; mkdir -p $work/new; cd $work
for source in {" ".join(SOURCES)}; do
    dpkg-query -W -f '${{db:Status-Status}} ${{source:Package}} ${{Package}} ${{Version}}\n' |
        awk -v source="$source" '$1 == "installed" && $2 == source {{print $3 "=" $4}}'
done >installed
apt-get update -qq
apt-get download -qq $(cat installed) >/dev/null
cut -d= -f2- installed | sort -u | while read -r version; do
    printf 's/(= %s)/(= %s{MARK})/g\n' "$version" "$version"
done >versions.sed
for deb in *.deb; do
    dpkg-deb -R "$deb" tree
    sed -i -f versions.sed -e 's/^Version: .*/&{MARK}/' tree/DEBIAN/control
    if [ -e tree/DEBIAN/conffiles ]; then
        grep -E '^/etc/.*([.]conf|/default/[^/]*|/logrotate[.]d/[^/]*)$' tree/DEBIAN/conffiles | while read -r file; do
            echo '# Said by a newer release.' >>"tree$file"
        done
    fi
    dpkg-deb -Znone -b tree "new/$deb" >/dev/null
    rm -rf tree
done
apt-get install -y -qq -o Dpkg::Options::=--force-confold ./new/*.deb 2>&1
rm -rf $work
"""
_VERSIONS = r"dpkg-query -W -f '${source:Package} ${Version}\n'"
_BOOT = "cat /proc/sys/kernel/random/boot_id"


def upgrade(machines: Machines, name: str) -> set[str]:
    """Upgrade a node, whoever is asked about a configuration file keeping it, as apt's default is; returns the sources
    of what was upgraded."""
    asyncio.run(machines.sudo(name, _UPGRADE, timeout=1800))
    lines = asyncio.run(machines.sudo(name, _VERSIONS)).splitlines()
    return {line.split()[0] for line in lines if line.endswith(MARK)}


def reboot(machines: Machines, name: str) -> None:
    """Boot a node anew, and wait until it has."""
    before = asyncio.run(machines.sudo(name, _BOOT))
    asyncio.run(machines.sudo(name, "systemd-run --quiet --on-active=1 systemctl reboot"))
    lab_site.until(lambda: _booted(machines, name, before), f"{name} has booted", limit=900)


def _booted(machines: Machines, name: str, before: str) -> bool | None:
    try:
        boot = asyncio.run(machines.sudo(name, _BOOT))
        state = asyncio.run(machines.sudo(name, "systemctl is-system-running || true")).strip()
    except LabError:
        return None
    return (boot != before and state in {"running", "degraded"}) or None
