"""What a site adds to the distribution's AppArmor profile of Squid. Facts: apparmor.d(5).

The profile ends in ``#include <local/usr.sbin.squid>``, which is the administrator's. Every path stands in double
quotes, within which a comma is nothing special; ``*`` and ``?`` mean what they mean to a shell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Permission = Literal["r", "rw", "rwk"]

_PATH = re.compile(r"(/[A-Za-z0-9._+@:=,*?-]+)+/?(\*\*)?")


def render(owner: str, allowed: Sequence[tuple[str, Permission]]) -> str:
    """The file's text. Raises `ValueError` on a path that the parser would read as something else."""
    lines = [f"# Written by squid-ha for {owner}; changes made here are reported as drift.\n"]
    for path, permission in dict.fromkeys(allowed):
        if not _PATH.fullmatch(path) or "@{" in path:
            raise ValueError(f"{path!r} cannot stand in an AppArmor profile")
        lines.append(f'"{path}" {permission},\n')
    return "".join(lines)
