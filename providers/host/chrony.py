"""chronyd's own account of the clock. Facts: chronyc(1), options ``-c`` (CSV) and ``-n``."""

from __future__ import annotations

from collections.abc import Sequence

from providers.connection.command import Result, command
from providers.host.clock import NO_SOURCE, Clock

TRACKING = command("chronyc", "-c", "-n", "tracking", ok=None, timeout=20, reads=True)
SOURCES = command("chronyc", "-c", "-n", "sources", ok=None, timeout=20, reads=True)

ASK = (TRACKING,)
ASK_SOURCES = SOURCES
STEP = command("chronyc", "makestep", ok=None)
"""Where the clock may not be set (a container) this fails."""

_FIELDS = 14
_SOURCE_FIELDS = 10
_NO_REFERENCE = frozenset({"", "00000000", "7F7F0101"})
"""No source at all, or the host's own clock served as one (``local``)."""


def clock(results: Sequence[Result]) -> Clock:
    """What `ASK` gave."""
    (result,) = results
    return parse_tracking(result.stdout or result.stderr, result.exit_code)


def parse_tracking(text: str, exit_code: int = 0) -> Clock:
    """``chronyc -c -n tracking``: reference id, source, stratum, time, offset of the system's clock, …, leap status.

    A chronyd that does not answer is a problem, not an error.
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
    return Clock(source, int(stratum), float(offset))


_STATES = {
    "*": "selected",
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
    rows = [line.split(",") for line in text.splitlines()]
    return [
        f"{row[2]} ({_STATES.get(row[1], row[1])}, stratum {row[3]}, reach {row[5]})"
        for row in rows
        if len(row) == _SOURCE_FIELDS
    ]
