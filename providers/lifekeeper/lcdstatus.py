"""The long form of ``lcdstatus``, where initialization, priorities, ties and paths are documented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Path:
    """One side of a communication path: to ``system``, over ``addresses`` (``local/remote``)."""

    system: str
    addresses: str
    priority: str = ""
    state: str = ""


@dataclass
class Status:
    """What the long lcdstatus tells: how resources start, priorities, ties, paths with state, other machines' state."""

    tags: set[str] = field(default_factory=set[str])
    """Of the resources that it shows."""
    initial: dict[str, str] = field(default_factory=dict[str, str])
    """Tag → what becomes of it when LifeKeeper starts, one of `INITIAL`."""
    priorities: dict[str, str] = field(default_factory=dict[str, str])
    dependencies: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Parent, child → the line that says so."""
    equivalents: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    """Tag here, other node, tag there → the line that says so."""
    peer_priorities: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    """The same → the other node's priority as this node has it."""
    paths: dict[tuple[str, str], Path] = field(default_factory=dict[tuple[str, str], Path])
    connections: dict[str, str] = field(default_factory=dict[str, str])
    """Addresses of a path → the line that says so."""
    machines: dict[str, str] = field(default_factory=dict[str, str])


INITIAL = ("AUTORES_ISP", "INIT_ISP", "INIT_OSU")
# Whatever follows: what stands below a resource must not be taken for that of the one before. Details are `word=...`.
# How many blanks stand between words, and around a sign, is not documented.
_RESOURCE = re.compile(r"\s*(?!\w+\s*=)(\S+):\s+id\s*=")
_INITIAL = re.compile(rf"\s+initialize\s*=\s*\(({'|'.join(INITIAL)})\)")
_PRIORITY = re.compile(r"\s+Local\s+priority\s*=\s*(\d+)")
_CHILDREN = re.compile(r"\s+depends\s+on\s+resources\s*:(.*)")
_PARENTS = re.compile(r"\s+these\s+resources\s+are\s+dependent\s*:(.*)")
_EQUIVALENCY = re.compile(
    r'\s+SHARED\s+equivalency\s+with\s+"([^"]+)"\s+on\s+"([^"]+)"(?:\s*,\s*priority\s*=\s*(\d+))?'
)
_MACHINE = re.compile(r"\s+machine\s*=\s*(\S+)\s+state\s*=\s*(\w+)")
_STATE = r'\s+state\s*=\s*"?(\w+)"?\s+priority\s*=\s*(\d+)'
_PATH = re.compile(rf".*to\s+machine\s*=\s*(\S+)\s+type\s*=\s*\S+\s+addresses\s*=\s*(\S+)(?:{_STATE})?")
_PATH_STATE = re.compile(_STATE)


def lines_of(text: str) -> list[str]:
    """The lines of what LifeKeeper prints, each ended by a line feed.

    `str.splitlines` breaks at other bytes too, and an unprintable one that nobody published joins a mirror's info.
    """
    return [line.removesuffix("\r") for line in text.split("\n")]


def parse_status(text: str) -> Status:
    """The long form, of which only the documented lines are looked at."""
    found = Status()
    tag = ""
    path: tuple[str, str] | None = None
    for line in lines_of(text):
        if match := _RESOURCE.match(line):
            tag = match[1]
            found.tags.add(tag)
        elif tag and _of_resource(found, tag, line):
            continue
        elif match := _PATH.match(line):
            path = (match[1], match[2])
            found.paths[path] = Path(*path, match[4] or "", match[3] or "")
            found.connections[match[2]] = line.strip()
        elif (match := _PATH_STATE.match(line)) and path:
            found.paths[path] = Path(*path, match[2], match[1])
            path = None
        elif match := _MACHINE.match(line):
            found.machines[match[1]] = match[2]
    return found


def _of_resource(found: Status, tag: str, line: str) -> bool:
    """Keep what a line says of the resource ``tag``; whether it says anything."""
    said = f"{tag}: {line.strip()}"
    if match := _INITIAL.match(line):
        found.initial[tag] = match[1]
    elif match := _PRIORITY.match(line):
        found.priorities[tag] = match[1]
    elif match := _CHILDREN.match(line):
        found.dependencies |= {(tag, child): said for child in _tags(match[1])}
    elif match := _PARENTS.match(line):
        found.dependencies |= {(parent, tag): said for parent in _tags(match[1])}
    elif match := _EQUIVALENCY.match(line):
        found.equivalents[tag, match[2], match[1]] = said
        if match[3]:
            found.peer_priorities[tag, match[2], match[1]] = match[3]
    return match is not None


def _tags(text: str) -> list[str]:
    return text.replace(",", " ").split()
