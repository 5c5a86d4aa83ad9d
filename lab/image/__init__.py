"""What every host of the lab is made from: one Debian 12 tree, its kernel, and a package source.

    from lab.image import ensure
    image = ensure(print)

`ensure` builds what is missing into ``${SQUID_HA_CACHE:-~/.cache/squid-ha}/image/<key>/`` (half a minute,
plus the download; needs root) and returns at once when it is there. The same tree serves the VM pair (as
`disk`) and the containers (as `tree`, under an overlay), so a host differs from another only by its host
name, its addresses and its host keys.

The identity of a VM comes from outside: ``systemd.hostname=qsp-a`` on the kernel's command line, and the
hardware addresses of its two network cards (`lab.image.nodes`): 02:00:00:00:01:0b is eth0 with 192.0.2.11,
02:00:00:00:02:0b is eth1 with 172.16.77.11. The root is /dev/vda without partitions (ext4).
"""

from lab.image.build import Image, ensure
from lab.image.commands import ImageError

__all__ = ["Image", "ImageError", "ensure"]
