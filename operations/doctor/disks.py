"""What the checks of disks have in common."""

from __future__ import annotations

from operations.doctor.model import Asked, Finding
from providers.connection.command import Result


def unreadable(asked: Asked, check: str, path: str, reading: Result) -> Finding | None:
    """The problem that a disk which is there cannot be read; ``reading`` is of a command that fails only then."""
    if reading.exit_code == 0:
        return None
    why = " ".join(reading.stderr.split()) or f"`{reading.command}` ended with exit code {reading.exit_code}"
    return asked.problem(
        check, f"{path} cannot be read: {why}", "see the kernel's messages (`dmesg`); replace the disk"
    )
