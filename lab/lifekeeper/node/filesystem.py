"""The filesystem kit."""

from __future__ import annotations

from pathlib import Path

from lab.lifekeeper.node.shell import Failed, must, run


async def start(kit: dict[str, str]) -> None:
    """Mount it. Raises `Failed`."""
    if not Path(kit["mount_point"]).is_mount():
        Path(kit["mount_point"]).mkdir(parents=True, exist_ok=True)
        await must("mount", "-t", kit["fstype"], kit["device"], kit["mount_point"])


async def stop(kit: dict[str, str]) -> None:
    """Unmount it, ending what holds it. Raises `Failed`."""
    if not Path(kit["mount_point"]).is_mount():
        return
    for attempt in range(2):
        if (await run("umount", kit["mount_point"])).code == 0:
            return
        if attempt == 0:
            # LifeKeeper ends the processes that hold a filesystem, too.
            await run("fuser", "-km", kit["mount_point"])
    raise Failed(1, f"{kit['mount_point']} cannot be unmounted")


async def check(kit: dict[str, str]) -> bool:
    """Whether it is mounted from its device."""
    mounts = Path("/proc/mounts").read_text().splitlines()
    return any(line.split()[:2] == [kit["device"], kit["mount_point"]] for line in mounts)
