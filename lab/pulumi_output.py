"""What `pulumi up` prints, made fit to be read along: progress, things when they are done, all of the rest.

Its lines are those of `--non-interactive --color never`. What is not known here is passed on as it is.
"""

from __future__ import annotations

import re

CHANGES = ("created", "updated", "replaced", "deleted")

_RESOURCE = re.compile(r"^ (?P<sign>[ +~-]{2}) (?P<type>\S+:\S+) (?P<name>\S+) (?P<state>.*?)\s*$")
_PROGRESS = re.compile(r"^(?:creating|updating|deleting|running)?\s*(?:\((?P<seconds>\d+)s\))? ?(?P<text>\S.*)$")
_BEGUN = re.compile(r"^(?:creating|updating|deleting|refreshing|running)?\s*(?:\(\d+s\))?\s*(?:\[diff: .*\])?$")
_COUNT = re.compile(r"^\s+(?:[+~-]{1,2} ?)?(\d+) (\w+)\s*$")
_HEADING = re.compile(r"^(Diagnostics:|  \S+ \(\S+\):)$")
_SAID = "      "
_DYNAMIC = "pulumi-python:dynamic/"


class Reader:
    """Reads the lines of one run in turn: what was said on the way is not said again under "Diagnostics"."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._headings: list[str] = []

    def read(self, line: str) -> list[str]:
        """The lines to show for this one: none, itself, or also headings that were held back until now."""
        text = shown(line)
        if text is None or text.strip() in self._said:
            return []
        if _HEADING.match(text):
            self._headings.append(text)
            return []
        if not text.startswith(" "):
            self._headings.clear()
        if text.startswith(_SAID):
            self._said.add(text.strip())
        lines = [*self._headings, text]
        self._headings.clear()
        return lines


def shown(line: str) -> str | None:
    """The line for people; None for one that says only that something has begun or goes on."""
    if not line.strip() or line.startswith("@ "):
        return None
    found = _RESOURCE.match(line)
    if found is None:
        return line
    if _BEGUN.match(found["state"]):
        return None
    if found["type"] == "pulumi:pulumi:Stack":
        return _progress(found["state"])
    if not found["type"].startswith(_DYNAMIC):
        return None
    return f" {found['sign']} {found['type'].removeprefix(_DYNAMIC)} {found['name']} {found['state']}"


def _progress(state: str) -> str | None:
    said = _PROGRESS.match(state)
    if said is None or re.match(r"(created|updated|deleted)\b|\d+ messages?$", said["text"]):
        return None
    return f"{_SAID}{said['text']}"


def count(line: str) -> tuple[str, int] | None:
    """What happened to how many resources, from a line of the summary; None for any other line."""
    found = _COUNT.match(line)
    if found is None or found[2] not in (*CHANGES, "unchanged"):
        return None
    return found[2], int(found[1])
