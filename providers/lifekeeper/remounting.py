"""The filesystem that a cut-off run was taking over is mounted again, so that the next run goes on; nothing is guessed.

A creation unmounts what it takes over, and may have assembled the mirror before LifeKeeper knows it. Data that was kept
when its mirror was removed is mounted here too: the product takes over what is mounted.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.lifekeeper import mirror_data, speaking, steps
from providers.lifekeeper.mirror_data import BEGUN, KEPT, NEW, Wanted
from providers.lifekeeper.steps import Views
from providers.storage import marks
from providers.storage.device import Disk

EARLIER = "existing"
"""Value of `BEGUN` that versions before this one wrote."""
_MEMBER = "linux_raid_member"

# $1 device. What is on an array that another disk is in, too, nobody here knows.
_TAKE_APART = r"""
member=$(basename "$(readlink -f "$1")")
for each in /sys/class/block/"$member"/holders/md*; do
  [ -e "$each" ] || continue
  array=${each##*/}
  if [ "$(ls "/sys/class/block/$array/slaves")" = "$member" ]; then mdadm --stop "/dev/$array"; fi
done
"""


def remountable(mirror: Wanted, source: str) -> steps.Ready:
    """The disk of ``source`` may be mounted: its data was kept, or a run was cut off while it was taking over the very
    filesystem that is there. What that has left assembled is taken apart then. Raises `Refused`.
    """

    async def ready(cluster: Cluster, seen: Views) -> None:
        # The run was cut off, and not LifeKeeper, which may be at work still.
        await speaking.wait_idle(cluster, cluster.node(source))
        disk = (await mirror_data.read_disks(cluster, mirror))[source]
        if not mirror.kept:
            _refuse_unknown(mirror, source, disk, await cluster.journal(source).entries())
        if disk.uses and not _has_mirrors(source, seen):
            disk = await _taken_apart(cluster, mirror, source)
        if disk.uses:
            raise Refused(
                f"{mirror.device_on(source)} cannot be mounted at {mirror.mount_point}: it is in use, "
                f"{', '.join(disk.uses)}",
                node=source,
                remedy="free it without writing on it (`umount`, `mdadm --stop`; see /proc/mdstat), and run this again",
            )

    return ready


def _has_mirrors(source: str, seen: Views) -> bool:
    """LifeKeeper knows mirrors there: one may have the disk, by another of its names."""
    return any(each.type == "netraid" for each in seen[source].instances.values())


async def _taken_apart(cluster: Cluster, mirror: Wanted, source: str) -> Disk:
    label = f"take apart what was left assembled on {mirror.device_on(source)}"
    cluster.progress(f"{source}: {label}")
    await cluster.node(source).run(script(_TAKE_APART, mirror.device_on(source), ok=None, label=label))
    return (await mirror_data.read_disks(cluster, mirror))[source]


def _refuse_unknown(mirror: Wanted, source: str, disk: Disk, entries: Mapping[str, str]) -> None:
    """Only what was being taken over when a run was cut off is mounted again, on the disk where it was."""
    begun, but = entries.get(BEGUN, ""), ""
    types = {each.type for each in disk.signatures} - {_MEMBER}
    if begun in ("", NEW, KEPT):
        raise mirror_data.nothing_mounted(mirror, source)
    if begun == EARLIER:
        but = "; which filesystem the run that was cut off was taking over, that version did not note"
        raise mirror_data.nothing_mounted(mirror, source, but)
    if begun != mirror_data.taking_over(mirror):
        but = f"the run that was cut off was taking over another one there ({begun})"
    elif not marks.is_marked(disk.identity, entries.get(marks.DISK)):
        but = "another disk is there than that which the run that was cut off was taking over"
    elif types != {mirror.fstype}:
        told = " and ".join(sorted(types)) or "nothing"
        but = f"the run that was cut off was taking over {mirror.fstype} there, and it carries {told} now"
    if but:
        raise mirror_data.nothing_mounted(mirror, source, f"; {but}")
