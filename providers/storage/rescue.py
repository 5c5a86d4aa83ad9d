"""Copying the logs off one half of the mirror to the node's own disk, whether or not that half is mounted.

A half that is not mounted cannot be: DRBD lets nobody read a secondary's volume, and making it primary while its other
half is gone would have it fenced. Its filesystem lies at the beginning of the backing disk, so it is read there,
through a read-only loop device and without its journal, in a mount namespace that ends with the script.
"""

from __future__ import annotations

from providers.connection.cluster import Node
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.storage import drbd

LIMIT = 1800.0
_NO_SPACE = 28

# $1 mount point, $2 folder below it, $3 new folder, $4 resource
_SAVE = r"""
set -eu
umask 077
[ -d "$3" ] && exit 0
mkdir -p "${3%/*}"
rm -rf "$3.part"
if ! mountpoint -q -- "$1"; then
    device=$(drbdadm sh-ll-dev "$4" </dev/null)
    # What DRBD has written went past this node's own cache of the disk.
    blockdev --flushbufs "$device"
    loop=$(losetup --find --show --read-only -- "$device")
    trap 'losetup --detach "$loop" 2>/dev/null || :' EXIT
    trap 'exit 1' HUP INT TERM
    at=$(mktemp -d)
    mount -t ext4 -o ro,noload "$loop" "$at" 2>/dev/null || mount -t xfs -o ro,norecovery,nouuid "$loop" "$at"
    set -- "$at" "$2" "$3"
fi
[ -d "$1/$2" ] || { mkdir "$3"; exit 0; }
needed=$(du -sk -- "$1/$2" | cut -f 1)
free=$(df -Pk -- "${3%/*}" | awk 'NR == 2 { print $4 }')
if [ "$needed" -ge "$free" ]; then echo "$needed KiB are needed and $free free below ${3%/*}" >&2; exit 28; fi
cp -a -- "$1/$2" "$3.part"
mv -T -- "$3.part" "$3"
if [ -n "${at-}" ]; then umount "$at"; rmdir "$at"; fi
"""


async def save(node: Node, mount_point: str, source: str, to: str, resource: str = drbd.RESOURCE) -> None:
    """Copy ``source`` below the mount point to the new folder ``to``; nothing to do where that is there.

    Raises `Refused` where the node's own disk has no room for it.
    """
    words = ("sh", "-c", _SAVE, "sh", mount_point, source, to, resource)
    label = f"copy {source} of this half of the mirror to {to}"
    saving = command("unshare", "--mount", "--propagation", "private", *words, ok={0, _NO_SPACE}, timeout=LIMIT,
                     label=label)  # fmt: skip
    result = await node.run(saving)
    if result.exit_code == _NO_SPACE:
        raise Refused(
            f"the logs cannot be saved: {result.stderr.strip()}", node=node.name, remedy="make room there first"
        )
