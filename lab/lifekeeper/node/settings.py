"""/etc/default/LifeKeeper, and the switches by which tests make the stand-in misbehave."""

from __future__ import annotations

import copy
import json
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

from lab.lifekeeper.node import CONFIG
from providers.lifekeeper.grammar.plain import Data

DEFAULTS = Path("/etc/default/LifeKeeper")
SWITCHES = Path(CONFIG) / "stand-in.json"
NUMBERS = {"LKCHECKINTERVAL": 120, "LCMHBEATTIME": 5, "LCMNUMHBEATS": 3, "LKDR_SPEED_LIMIT": 500000, "NOIPUNIQUE": 0}


def number(key: str, file: Path = DEFAULTS) -> int:
    """A number of the settings; a value that is none counts as not there."""
    found = read(file).get(key, "")
    return int(found) if found.isdigit() else NUMBERS[key]


def read(file: Path = DEFAULTS) -> dict[str, str]:
    """The settings by name; the last line of a name wins."""
    values: dict[str, str] = {}
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            key, equals, value = line.partition("=")
            if equals and not key.lstrip().startswith("#"):
                values[key.strip()] = value.strip().strip("\"'")
    return values


def switches(file: Path = SWITCHES) -> dict[str, Any]:
    """The switches that tests have set; none is an empty map.

    ``busy``: seconds, counted from when the file was written, for which somebody else holds the admin lock.
    ``slow``: seconds that every command takes longer. ``licence``: ``none``. ``help``: command → {spelling: other
    spelling}, as another version would have it. ``errors``: command → {code, text}, or {code, error, parts} with the
    number of an error of the grammar; see `mishap` for ``times`` with it. ``die``: {command, step}: the command ends,
    killed, before that step (from 1). ``written``: when the file was.
    """
    if not file.exists():
        return {}
    written = file.stat().st_mtime
    found: dict[str, Any] = {**json.loads(file.read_text(encoding="utf-8")), "written": written}
    age = time.time() - written
    if age > float(found.get("busy", age)):
        del found["busy"]
    return found


def mishap(told: dict[str, Any], command: str, had: Counter[tuple[float, str]]) -> dict[str, Any] | None:
    """The switches' error for a command, each time or the first ``times`` of the file, counted in ``had``."""
    error = told.get("errors", {}).get(command)
    if error is None:
        return None
    had[place := (told.get("written", 0.0), command)] += 1
    return error if had[place] <= error.get("times", math.inf) else None


def other_version(data: Data, changes: dict[str, dict[str, str]]) -> Data:
    """The grammar as another version has it: some options are spelled differently."""
    changed = copy.deepcopy(data)
    for command in changed["commands"]:
        for option in command["options"]:
            option["spelled"] = changes.get(command["name"], {}).get(option["spelled"], option["spelled"])
    return changed
