"""What was found on nodes that were built by hand, and is left as it was found."""

from __future__ import annotations

from typing import Annotated, Literal

from declaration.paths import PlainFile
from declaration.types import Many, NodeName, Octal, Settings, matching, written

_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
Digest = Annotated[
    str,
    written(
        f"a SHA-256 digest in small letters as sha256sum(1) prints it, such as `{_OF_NOTHING}`",
        matching(r"[0-9a-f]{64}"),
    ),
]
FileOwner = Annotated[
    str,
    written(
        "a user and a group, such as `root:root` or `root:domain users`",
        # A directory service has letters of any script, blanks between words, and a backslash behind a domain.
        matching(r"[\w.@+][\w.@+-]*([ \\][\w.@+-]+)*:[\w.@+][\w.@+-]*([ \\][\w.@+-]+)*"),
    ),
]
UnitName = Annotated[
    str,
    written("a unit of systemd, such as `squid.service`", matching(r"[A-Za-z0-9][A-Za-z0-9:_.@-]{0,120}\.[a-z]{4,9}")),
]


class AdoptedFile(Settings):
    """A file as it was found on one node."""

    path: PlainFile
    """Where it is."""

    node: NodeName
    """On which node."""

    sha256: Digest
    """The digest of what is in it. Another content is drift, which `up` refuses to repair: it does not know the old
    one."""

    mode: Octal
    """Its mode."""

    owner: FileOwner
    """Its owner and group."""


class Adopted(Settings):
    """What `squid-ha adopt` found otherwise than this program would make it; `up` leaves it as it is.

    An entry taken out is a file, a unit or a thing that the next `up` makes of the site's settings; the preview shows
    what that changes.
    """

    files: Many[AdoptedFile] = ()
    """Files that are kept as found. What the site's settings say of them takes no effect."""

    without: Many[PlainFile] = ()
    """Files that this program would make, and does not."""

    units: Many[UnitName] = ()
    """Units that are left running or not, enabled or not."""

    things: Many[Literal["names", "squid-profile", "rotation", "mount-point"]] = ()
    """Things that are not made at all: `names` (the block in /etc/hosts), `squid-profile` (what Squid's AppArmor
    profile lacks), `rotation` (of the mirror's log), `mount-point` (the guard on it that keeps everything out while the
    mirror is not mounted)."""
