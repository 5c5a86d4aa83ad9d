"""What the checks of disks have in common."""

from __future__ import annotations

from operations.doctor.model import Asked, Finding
from providers.connection.command import Result


def unreadable(asked: Asked, check: str, path: str, signatures: Result) -> Finding | None:
    """The problem that a disk which is there cannot be read; ``signatures`` answers `device.read_signatures`."""
    if signatures.exit_code == 0:
        return None
    why = " ".join(signatures.stderr.split()) or f"wipefs ended with {signatures.exit_code}"
    return asked.problem(
        check, f"{path} cannot be read: {why}", "see the kernel's messages (`dmesg`); replace the disk"
    )
