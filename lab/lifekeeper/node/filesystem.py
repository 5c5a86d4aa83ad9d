"""The filesystem kit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from lab.lifekeeper.node.shell import Failed, must, run

ATTEMPTS = 10
"""Times that it is tried to unmount: what was just ended may hold it for a moment."""
PAUSE = 0.5
"""Seconds in between."""


async def start(kit: dict[str, str]) -> None:
    """Mount it. Raises `Failed`."""
    if not Path(kit["mount_point"]).is_mount():
        Path(kit["mount_point"]).mkdir(parents=True, exist_ok=True)
        await must("mount", "-t", kit["fstype"], kit["device"], kit["mount_point"])


async def stop(kit: dict[str, str]) -> None:
    """Unmount it, ending what holds it. Raises `Failed`."""
    if not Path(kit["mount_point"]).is_mount():
        return
    for _ in range(ATTEMPTS):
        if (await run("umount", kit["mount_point"])).code == 0:
            return
        # LifeKeeper ends the processes that hold a filesystem, too.
        for pid in holders(Path(kit["mount_point"])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(PAUSE)
    raise Failed(1, f"{kit['mount_point']} cannot be unmounted")


async def check(kit: dict[str, str]) -> bool:
    """Whether it is mounted from its device."""
    mounts = Path("/proc/mounts").read_text().splitlines()
    return any(line.split()[:2] == [kit["device"], kit["mount_point"]] for line in mounts)


def holders(mount_point: Path, proc: Path = Path("/proc")) -> Iterator[int]:
    """Processes with a file open below the mount point, or in one of its folders. Not every Debian has fuser(1)."""
    for each in proc.iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid() and any(_below(mount_point, each)):
            yield int(each.name)


def _below(mount_point: Path, process: Path) -> Iterator[bool]:
    # It may end, and its files be closed, while one looks.
    with contextlib.suppress(OSError):
        for link in (process / "cwd", process / "root", *(process / "fd").iterdir()):
            with contextlib.suppress(OSError):
                yield link.readlink().is_relative_to(mount_point)
