"""Disks to measure on: loop devices over files of their own, which are gone afterwards. As root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

SIZE = 1 << 30
"""Bytes of a disk."""
_SPARE = 1 << 30
"""Bytes that stay free on the machine's disk."""


def require_space(folder: Path, count: int) -> None:
    """Raise LabError where so many disks do not fit into ``folder``."""
    needed, free = count * SIZE + _SPARE, shutil.disk_usage(folder).free
    if free < needed:
        raise LabError(f"{folder} has {free >> 20} MiB left and {needed >> 20} are needed: name another one by --on")


@contextmanager
def disk(file: Path) -> Generator[str]:
    """A loop device over the new ``file``, past this machine's page cache; both are gone afterwards.

    Raises LabError. What still has the device mounted keeps it until it ends.
    """
    try:
        with file.open("xb") as made:
            os.posix_fallocate(made.fileno(), 0, SIZE)
        device = _run("losetup", "--find", "--show", "--direct-io=on", str(file)).strip()
        if Path(f"/sys/block/{Path(device).name}/loop/dio").read_text().strip() != "1":
            raise LabError(f"{file.parent} knows no direct I/O, without which memory is measured: name another by --on")
        yield device
    finally:
        # By the file: an interrupt may come when the device is there and its name is not known here yet.
        for left in _run("losetup", "--associated", str(file), "--noheadings", "--output", "NAME").split():
            _run("losetup", "--detach", left)
        file.unlink(missing_ok=True)


def settle(device: str) -> None:
    """Write over a device what it holds, so that the file below has a place for each block before anything is measured.

    What mkfs discards or zeroes is a hole or an unwritten part of the file, and the first write there costs more.
    """
    _run("dd", f"if={device}", f"of={device}", "bs=4M", "iflag=direct", "oflag=direct", "conv=notrunc,fsync")


def _run(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = " / ".join(done.stderr.strip().splitlines()[-2:])
        raise LabError(f"`{' '.join(argv)}` ended with {done.returncode}: {last}")
    return done.stdout
