"""/etc/default/LifeKeeper, and the switches by which tests make the stand-in misbehave."""

from __future__ import annotations

import copy
import json
import time
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
    number of an error of the grammar; ``seconds`` with it as with ``busy``. ``die``: {command, step}: the command ends,
    killed, before that step (from 1).
    """
    if not file.exists():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    age = time.time() - file.stat().st_mtime
    if age > float(found.get("busy", age)):
        del found["busy"]
    errors = found.get("errors", {})
    lasting = {name: error for name, error in errors.items() if age <= float(error.get("seconds", age))}
    return {**found, "errors": lasting} if errors else found


def other_version(data: Data, changes: dict[str, dict[str, str]]) -> Data:
    """The grammar as another version has it: some options are spelled differently."""
    changed = copy.deepcopy(data)
    for command in changed["commands"]:
        for option in command["options"]:
            option["spelled"] = changes.get(command["name"], {}).get(option["spelled"], option["spelled"])
    return changed
