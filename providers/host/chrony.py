"""chronyd's own account of the clock. Facts: chronyc(1), options ``-c`` (CSV) and ``-n``.

chronyd whose sources have all become silent goes on with what it last knew: ``tracking`` looks as before, and the last
one stays selected for days. When it was last heard stands only in ``sources``; what it was asked in vain does not shift
its reach where the asking itself fails, as without a network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.connection.command import Command, Result, command
from providers.host.clock import NO_SOURCE, Clock

TRACKING = command("chronyc", "-c", "-n", "tracking", ok=None, timeout=20, reads=True)
SOURCES = command("chronyc", "-c", "-n", "sources", ok=None, timeout=20, reads=True)

ASK = (TRACKING, SOURCES)
ASK_SOURCES = SOURCES

_STRATUM = re.compile(r"[0-9]{1,2}")
_OFFSET = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?")
_FIELDS = 14
_SOURCE_FIELDS = 10
_NO_REFERENCE = frozenset({"", "00000000", "7F7F0101"})
"""No source at all, or the host's own clock served as one (``local``)."""


def step(_unit: str) -> Command:
    """Where the clock may not be set (a container) this fails."""
    return command("chronyc", "makestep", ok=None)


def clock(results: Sequence[Result]) -> Clock:
    """What `ASK` gave."""
    tracking, sources = results
    found = parse_tracking(tracking.stdout or tracking.stderr, tracking.exit_code)
    if found.problem or any(row[1] == _SELECTED and _heard(row) for row in _rows(sources.stdout)):
        return found
    return Clock(problem=f"no source answers any more (the last was {found.source})")


def parse_tracking(text: str, exit_code: int = 0) -> Clock:
    """``chronyc -c -n tracking``: reference id, source, stratum, time, offset of the system's clock, …, leap status.

    A chronyd that does not answer, or answers otherwise than known, is a problem, not an error.
    """
    lines = text.strip().splitlines()
    fields = lines[-1].split(",") if lines else []
    if exit_code != 0 or len(fields) != _FIELDS:
        reason = lines[-1] if lines else f"chronyc ended with exit code {exit_code}"
        return Clock(problem=f"chronyd does not answer ({reason})")
    reference, source, stratum, offset, leap = fields[0], fields[1], fields[2], fields[4], fields[13]
    if reference in _NO_REFERENCE or leap == "Not synchronised":
        return NO_SOURCE
    # chronyc prints how much chronyd still has to slow down (+) or speed up (-) the clock: the clock's own offset.
    if not source or not _STRATUM.fullmatch(stratum) or not _OFFSET.fullmatch(offset):
        return Clock(problem=f"what chronyd says is not understood ({lines[-1]})")
    return Clock(source, int(stratum), float(offset))


_SELECTED = "*"
_MISSED = 16
"""Questions without an answer after which a source is silent: 17 min at first, 4.5 h at chronyd's slowest."""
_STATES = {
    _SELECTED: "selected",
    "+": "combined",
    "-": "not combined",
    "?": "unusable or not reached",
    "x": "false ticker",
    "~": "too variable",
}


def parse_sources(text: str, exit_code: int = 0) -> list[str]:
    """One text per source of ``chronyc -c -n sources``: address, what chronyd thinks of it, stratum, reachability."""
    if exit_code != 0:
        return []
    return [f"{row[2]} ({_STATES.get(row[1], row[1])}, stratum {row[3]}, reach {row[5]})" for row in _rows(text)]


def _heard(row: Sequence[str]) -> bool:
    """Whether the last good answer of a source came within `_MISSED` of its intervals (2 to the power of its poll)."""
    try:
        return int(row[6]) <= _MISSED * 2.0 ** int(row[4])
    except (ValueError, OverflowError):
        return False


def _rows(text: str) -> list[list[str]]:
    """The fields of each source: mode, state, address, stratum, poll, reach, seconds since the last good answer, …."""
    rows = (line.split(",") for line in text.splitlines())
    return [row for row in rows if len(row) == _SOURCE_FIELDS]
