"""Keys of /etc/default/LifeKeeper: ``KEY=value`` lines; its file is not ours: only declared keys are touched."""

from __future__ import annotations

import re
from collections.abc import Mapping

PATH = "/etc/default/LifeKeeper"
INTERVAL = "LKCHECKINTERVAL"
"""Seconds between two checks of what is in service on a node; with 0 there are none."""

_LINE = re.compile(r"^(\s*(?:export\s+)?)([A-Z][A-Z0-9_]*)=(.*)$")


def values(text: str) -> dict[str, str]:
    """Key → value, without quotes; the last line of a key counts."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match:
            found[match[2]] = match[3].split(" #", 1)[0].strip().strip("\"'")
    return found


def changed(text: str, wanted: Mapping[str, str | None]) -> str:
    """``text`` with these keys set, or taken out where None; all other lines stay as they are, in their places."""
    left = dict(wanted)
    lines: list[str] = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        match = _LINE.match(line)
        if match is None or match[2] not in wanted:
            lines.append(line)
            continue
        value = left.pop(match[2], None)
        if value is not None:
            lines.append(f"{match[1]}{match[2]}={value}")
    lines += [f"{key}={value}" for key, value in left.items() if value is not None]
    return "".join(f"{line}\n" for line in lines)
