"""Limits of this machine that many containers reach; being the whole machine's, they are put back."""

from pathlib import Path

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
NEEDED = 8192
FEW = 10
"""A container holds about six instances; 128, the kernel's default, is used up by twenty of them."""

BEFORE = "inotify.before"
"""File of the run directory with the value to put back."""


def raise_for_containers(directory: Path, memory: Path) -> None:
    """Let many containers have the inotify instances they need, and remember what the limit was."""
    now = int(INSTANCES.read_text())
    if now < NEEDED and sum(1 for _ in memory.glob("*/upper")) > FEW:
        (directory / BEFORE).write_text(f"{now}\n")
        INSTANCES.write_text(f"{NEEDED}\n")


def put_back(directory: Path) -> None:
    """Restore what a lab that ran in `directory` changed; for whoever is outside, once the tree has ended."""
    before = directory / BEFORE
    if before.exists():
        INSTANCES.write_text(before.read_text())
        before.unlink()
