"""How each type of filesystem is made and named. A filesystem gets its real label only once it is complete."""

from __future__ import annotations

from providers.connection.command import Command, command

MAKING = "sqha-making"
"""Label of a filesystem that is being made: with it, and the journal's word, making may start anew."""

TYPES = ("ext3", "ext4", "xfs")


def make(kind: str, volume: str, *, again: bool) -> Command:
    """Make a filesystem labelled `MAKING`; ``again`` over one that was cut off in the making, and only then."""
    if kind == "xfs":
        force = ("-f",) if again else ()
        return command("mkfs.xfs", "-q", *force, "-L", MAKING, volume, timeout=600)
    force = ("-F",) if again else ()
    return command("mkfs", "-t", kind, "-q", *force, "-L", MAKING, volume, timeout=600)


def relabel(kind: str, volume: str, label: str) -> Command:
    """Give the complete filesystem its label."""
    if kind == "xfs":
        return command("xfs_admin", "-L", label, volume)
    return command("tune2fs", "-L", label, volume)
