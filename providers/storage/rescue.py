"""Copying the logs off one half of the mirror to the node's own disk, whether or not that half is mounted.

A half that is not mounted cannot be: DRBD lets nobody read a secondary's volume, and making it primary while its other
half is gone would have it fenced; DataKeeper's md device is not even there. Its filesystem lies at the beginning of the
disk below the mirror, so it is read there, through a read-only loop device and without its journal, in a mount
namespace that ends with the script. Only then: such a namespace keeps the other mounts too, so a service that stops
during a copy could not give its volume up.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from providers.connection.cluster import Node
from providers.connection.command import command
from providers.connection.errors import Refused

LIMIT = 1800.0
_NO_SPACE, _NO_FOLDER = 28, 20

# $1 what was saved last, $2 new folder, then files in the folder that is saved: those that are as they were saved are
# the same file in both.
_SHARE = r"""
last=$1 new=$2
shift 2
for file do
    [ -f "$last/$file" ] || continue
    [ "$(stat -c '%s %y %u %g %f' -- "$file")" = "$(stat -c '%s %y %u %g %f' -- "$last/$file")" ] || continue
    mkdir -p -- "$new/${file%/*}"
    ln -- "$last/$file" "$new/$file"
done
"""
# $1 where the half is mounted, $2 folder below it, $3 new folder
_COPY = rf"""
[ -d "$1/$2" ] || {{ echo "there is no folder $2 on this half of the mirror" >&2; exit {_NO_FOLDER}; }}
mkdir -p "${{3%/*}}"
rm -rf -- "${{3%/*}}"/*.part
last=$(ls -d -- "${{3%/*}}"/*/ 2>/dev/null | tail -n 1)
mkdir -- "$3.part"
if [ -n "$last" ]; then
    (cd -- "$1/$2" && find . -type f -exec sh -euc {shlex.quote(_SHARE)} sh "${{last%/}}" "$3.part" {{}} +)
fi
needed=$(($(du -sk -- "$1/$2" | cut -f 1) - $(du -sk -- "$3.part" | cut -f 1)))
free=$(df -Pk -- "${{3%/*}}" | awk 'NR == 2 {{ print $4 }}')
if [ "$needed" -ge "$free" ]; then
    rm -rf -- "$3.part"
    echo "$needed KiB are needed and $free free below ${{3%/*}}" >&2
    exit 28
fi
cp -a --update --remove-destination -- "$1/$2/." "$3.part"
mv -T -- "$3.part" "$3"
"""
_BEGIN = r"""
set -eu
umask 077
[ -d "$3" ] && exit 0
"""
# $1 mount point, $2 folder below it, $3 new folder
_MOUNTED = f"""{_BEGIN}
mountpoint -q -- "$1" || {{ echo "$1 is no longer mounted; try again" >&2; exit 1; }}
{_COPY}"""
# $1 unused, $2 folder, $3 new folder, then what prints the disk below the mirror
_NOT_MOUNTED = rf"""{_BEGIN}
folder=$2 new=$3
shift 3
device=$("$@" </dev/null)
# What the mirror has written went past this node's own cache of the disk.
blockdev --flushbufs "$device"
loop=$(losetup --find --show --read-only -- "$device")
trap 'losetup --detach "$loop" 2>/dev/null || :' EXIT
trap 'exit 1' HUP INT TERM
at=$(mktemp -d)
mount -t ext4 -o ro,noload "$loop" "$at" 2>/dev/null || mount -t xfs -o ro,norecovery,nouuid "$loop" "$at"
set -- "$at" "$folder" "$new"
{_COPY}
umount "$at"; rmdir "$at"
"""
_OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")


async def save(node: Node, mount_point: str, source: str, to: str, resource: str) -> None:
    """`copy` of a half of DRBD's ``resource``."""
    await copy(node, mount_point, source, to, ("drbdadm", "sh-ll-dev", resource))


async def copy(node: Node, mount_point: str, source: str, to: str, device: Sequence[str]) -> None:
    """Copy ``source`` below the mount point to the new folder ``to``; nothing to do where that is there.

    Files that are unchanged since the last copy beside it share its room. ``device``: the command that prints the disk
    below the mirror. Raises `Refused` where the node's own disk has no room for the copy, and where the half has no
    such folder: what is thrown away afterwards would not have been saved.
    """
    mounted = await node.run(command("mountpoint", "-q", "--", mount_point, ok=None, reads=True))
    if mounted.exit_code == 0:
        words = ("sh", "-c", _MOUNTED, "sh", mount_point, source, to)
    else:
        words = (*_OWN_MOUNTS, "sh", "-c", _NOT_MOUNTED, "sh", "", source, to, *device)
    label = f"copy {source} of this half of the mirror to {to}"
    saving = command(*words, ok={0, _NO_SPACE, _NO_FOLDER}, timeout=LIMIT, label=label)
    result = await node.run(saving)
    if result.exit_code == _NO_SPACE:
        raise Refused(
            f"the logs cannot be saved: {result.stderr.strip()}", node=node.name, remedy="make room there first"
        )
    if result.exit_code == _NO_FOLDER:
        raise Refused(
            f"the logs cannot be saved: {result.stderr.strip()}",
            node=node.name,
            remedy="say in `log.mirror_directory` where Squid's logs are; if this half really has none, make it",
        )
