"""Clocks: how far each node's is from this machine's and from the other node's, and which services keep it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from blueprint.platforms import PLATFORMS
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, Result, script
from providers.host.clocks import EXISTING
from providers.host.systemd import parse_units, units_command

NAME = "clock"
BLUR = 1.0
"""Seconds that asking may take; what is less is no difference."""
FAR = 300.0
"""Seconds: further off, certificates and packages' signatures begin to count as not yet valid."""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """What the clock says; this machine's own time goes along, so that the two are compared where they meet."""
    return [
        script('echo "$1 $(date +%s.%N)"', f"{time.time():.3f}", reads=True, label="read the clock"),
        units_command(list(PLATFORMS[site.platform].clock_units)),
    ]


def judge(asked: Asked) -> Iterator[Finding]:
    """Nothing is made of a clock that `up` sets anyway, unless it is so far off that packages cannot be fetched."""
    ahead = _ahead(asked.results[0])
    if ahead is None:
        yield asked.note(NAME, "the clock could not be read")
        return
    yield _here(asked, ahead)
    for other, results in asked.others.items():
        there = _ahead(results[0])
        # Said once for the two of them.
        if there is not None and asked.node.name < other and abs(ahead - there) > BLUR:
            yield _between(asked, other, ahead - there)
    yield from _services(asked)


def _ahead(result: Result) -> float | None:
    words = result.stdout.split()
    try:
        return float(words[1]) - float(words[0])
    except (IndexError, ValueError):
        return None


def _here(asked: Asked, ahead: float) -> Finding:
    if abs(ahead) <= BLUR:
        return asked.ok(NAME, f"within {BLUR:g} s of this machine's clock")
    sentence = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's clock"
    if abs(ahead) > FAR:
        return asked.problem(NAME, sentence, "set it there (`date --set`), or this machine's if that one is wrong")
    return asked.note(NAME, sentence, "" if asked.site.time else "declare `time`, so that `up` sets it")


def _between(asked: Asked, other: str, apart: float) -> Finding:
    sentence = f"{abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} {other}"
    if asked.site.time is None or asked.site.time.service == EXISTING:
        return asked.problem(NAME, sentence, "declare `time`, so that `up` keeps the clocks, or repair what keeps them")
    return asked.note(NAME, f"{sentence}; `up` sets both")


def _services(asked: Asked) -> Iterator[Finding]:
    wanted = asked.site.time.service if asked.site.time else None
    keeps = PLATFORMS[asked.site.platform].clock_units
    units = parse_units(asked.out[1], list(keeps)) if asked.results[1].exit_code == 0 else {}
    running = [name for name, unit in units.items() if unit.exists and unit.state == "active"]
    if wanted == EXISTING and not any(keeps[name] for name in running):
        yield asked.problem(
            NAME,
            "`time.service: existing`, but no time service that can be read runs there",
            "start one, or let this site bring one: `time.service: chrony`",
        )
    if wanted in (None, EXISTING):
        return
    others = [name for name in running if keeps[name] != wanted]
    if others:
        yield asked.note(NAME, f"{', '.join(others)} keeps the clock too; `up` switches it off and brings {wanted}")
