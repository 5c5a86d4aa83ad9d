"""The settings that `squid-ha init` writes, active or behind `#`, found in its template by their indentation."""

from __future__ import annotations

import copy
import re
from collections.abc import Container
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import yaml

from declaration.load import CONFIG_KEY
from declaration.site import Phase
from operations.stacks import render

PHASES: tuple[Phase, ...] = (1, 2, 3)

_LINE = re.compile(r"(?P<indent> *)(?P<comment># ?)?(?P<deeper> *)(?P<dash>- )?(?P<text>.*)")
_SETTING = re.compile(r"(?P<name>[a-z_]+):(?: +(?P<value>.*))?")


@dataclass(frozen=True)
class Line:
    """A setting in the template: its ``path`` (``nodes[].name``), where it stands, its value ('' if none)."""

    path: str
    number: int
    indent: int
    value: str
    commented: bool


@cache
def text_of(phase: Phase) -> tuple[str, ...]:
    """The lines that `squid-ha init` writes for a phase, from the first one inside the site on."""
    lines = render("site.yaml.j2", phase=phase, stack="lyon").splitlines()
    return tuple(lines[lines.index(f"  {CONFIG_KEY}:") + 1 :])


@cache
def _site(phase: Phase) -> dict[str, object]:
    document = yaml.safe_load(render("site.yaml.j2", phase=phase, stack="lyon"))
    return document["config"][CONFIG_KEY]


def site(phase: Phase) -> dict[str, object]:
    """The declaration that `squid-ha init` writes for a phase, as plain data, the caller's own."""
    return copy.deepcopy(_site(phase))


def settings(phase: Phase, known: Container[str]) -> dict[str, Line]:
    """The settings of a phase by path; an active one counts before one behind `#`. ``known`` tells them from prose."""
    found: dict[str, Line] = {}
    above: list[tuple[int, str]] = []
    for number, raw in enumerate(text_of(phase)):
        match = _LINE.fullmatch(raw)
        if match is None:
            continue
        indent = len(match["indent"]) + len(match["deeper"])
        commented = match["comment"] is not None
        if match["dash"]:
            _leave(above, indent)
            above.append((indent, f"{_around(above, indent)}[]"))
            _keep(found, Line(above[-1][1], number, indent, match["text"], commented), known)
            indent += len(match["dash"])
        setting = _SETTING.fullmatch(match["text"])
        if setting is None:
            continue
        path = ".".join(filter(None, (_around(above, indent), setting["name"])))
        if path in known:
            _leave(above, indent)
            above.append((indent, path))
            _keep(found, Line(path, number, indent, (setting["value"] or "").strip(), commented), known)
    return found


def _keep(found: dict[str, Line], line: Line, known: Container[str]) -> None:
    """Take in a setting, and those inside of its value where that is a section on one line."""
    try:
        loaded: object = yaml.safe_load(line.value)
    except yaml.YAMLError:
        return
    before = found.get(line.path)
    if line.path in known and (before is None or (before.commented and not line.commented)):
        found[line.path] = line
    if line.value.startswith("{") and isinstance(loaded, dict):
        for name, value in cast("dict[str, object]", loaded).items():
            _keep(found, replace(line, path=f"{line.path}.{name}", value=flow(value)), known)


def flow(value: object) -> str:
    """A value on one line, as it might stand in a stack file."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def block(phase: Phase, line: Line) -> str:
    """A section as it stands in the template, down to its last setting, without the indentation and `#` of its own."""
    lines = list(text_of(phase)[line.number :])
    kept = [_bare(lines[0], line)]
    for raw in lines[1:]:
        bare = _bare(raw, line)
        if not bare.startswith(" "):
            break
        kept.append(bare)
    return "\n".join(kept)


def _bare(raw: str, line: Line) -> str:
    bare = raw[line.indent :]
    return bare.removeprefix("# ") if line.commented and raw.startswith(" " * line.indent + "# ") else bare


def _leave(above: list[tuple[int, str]], indent: int) -> None:
    while above and above[-1][0] >= indent:
        above.pop()


def _around(above: list[tuple[int, str]], indent: int) -> str:
    return next((path for at, path in reversed(above) if at < indent), "")
