"""Options of a mounted filesystem that say when what was written is on the disks, changed without unmounting.

Facts: mount(8), ext3(5), ext4(5), xfs(5); tried with ext3 and ext4 of Linux 6: ``commit`` and ``sync`` follow a remount
both ways, ``nodelalloc`` is accepted by ext4 and changes nothing, ``data`` is refused.
"""

from __future__ import annotations

import re

from providers.connection.command import Command, command

_COMMIT = re.compile(r"commit=[0-9]+")
_USUAL_COMMIT = "commit=5"
"""What the journal of ext3 and ext4 does when nothing is said; the kernel does not show it then."""


def shown(options: str) -> str:
    """Of all options that a table of mounts shows, those that this module is about, in one order: ``commit=1,sync``."""
    ours = [each for each in options.split(",") if each == "sync" or _COMMIT.fullmatch(each)]
    return ",".join(sorted(ours))


def whole(kind: str, options: str) -> str:
    """``options`` with what takes back those that are not among them, for a filesystem of this type."""
    given = options.split(",") if options else []
    said = ["sync" if "sync" in given else "async"]
    if kind != "xfs":
        said.append(next((each for each in given if _COMMIT.fullmatch(each)), _USUAL_COMMIT))
    return ",".join(said)


def remount(kind: str, mount_point: str, options: str) -> Command:
    """Mount it once more where it is mounted, with exactly these options of ours.

    mount(8) would add those that it finds in the table of mounts, and the kernel shows one there (``nodioread_nolock``,
    with ``data=journal``) that it refuses for ext3 when it is given. So does the agent of `providers.squid`.
    """
    options = f"remount,{whole(kind, options)}"
    return command("mount", "--options-source", "disable", "--options", options, mount_point, timeout=120)
