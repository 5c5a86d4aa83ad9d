"""ntpd's own account of the clock. Facts: ntpq(1), ``peers`` with ``-n`` and ``-w`` (whole addresses), ``rv``.

ntpq ends with exit code 0 also where no ntpd answers, and tells so in words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from providers.connection.command import Command, Result, command
from providers.host.clock import NO_SOURCE, Clock

PEERS = command("ntpq", "-pnw", ok=None, timeout=30, reads=True)
VARIABLES = command("ntpq", "-c", "rv", ok=None, timeout=30, reads=True)

ASK = (VARIABLES, PEERS)
ASK_SOURCES = PEERS
_FIELDS = 9
_VARIABLE = re.compile(r'\b([a-z_]+)=("[^"]*"|[^,\s]*)')
_UNSYNCHRONISED = "11"
"""Leap indicator of a clock that follows nothing (RFC 5905)."""
_OWN_CLOCK = ("LOCAL(", "127.127.1.")
_SELECTED = frozenset({"*", "o"})
_STATES = {
    "*": "selected",
    "o": "selected",
    "+": "combined",
    "#": "spare",
    "-": "not combined",
    ".": "not combined",
    "x": "false ticker",
    " ": "unusable or not reached",
}


@dataclass(frozen=True)
class Peer:
    """A line of ``ntpq -pnw``; ``offset`` in seconds, positive when the source is ahead of the clock."""

    tally: str
    remote: str
    stratum: int
    reach: str
    offset: float


def step(unit: str) -> Command:
    """ntpd sets the clock at once only at its start (``-g``); where it may not (a container) it goes on."""
    return command("systemctl", "restart", unit, ok=None, timeout=90)


def clock(results: Sequence[Result]) -> Clock:
    """What `ASK` gave."""
    variables, peers = results
    return parse_clock(variables.stdout or variables.stderr, peers.stdout)


def parse_clock(variables: str, peers: str) -> Clock:
    """``ntpq -c rv`` and ``ntpq -pnw``. An ntpd that does not answer is a problem, not an error.

    The offset is the one measured to the selected source: ntpd's own is what it has accepted of it so far.
    """
    known = parse_variables(variables)
    if "leap" not in known or not known.get("stratum", "").isdecimal():
        lines = [line.strip(" *") for line in variables.splitlines() if line.strip()]
        return Clock(problem=f"ntpd does not answer ({lines[-1] if lines else 'ntpq said nothing'})")
    selected = next((peer for peer in parse_peers(peers) if peer.tally in _SELECTED), None)
    if selected is None or known["leap"] == _UNSYNCHRONISED or selected.remote.startswith(_OWN_CLOCK):
        return NO_SOURCE
    return Clock(selected.remote, int(known["stratum"]), -selected.offset)


def parse_variables(text: str) -> dict[str, str]:
    """``name=value, name="value"`` over several lines."""
    return {name: value.strip('"') for name, value in _VARIABLE.findall(text)}


def parse_peers(text: str) -> list[Peer]:
    """The sources; an address that is too long for its column stands on a line of its own."""
    found: list[Peer] = []
    long = ""
    for line in text.splitlines():
        fields = line[1:].split()
        if len(fields) == 1 and not line.startswith("="):
            long = line
            continue
        peer = _peer(long[:1], [long[1:].strip(), *line.split()]) if long else _peer(line[:1], fields)
        long = ""
        if peer is not None:
            found.append(peer)
    return found


def _peer(tally: str, fields: Sequence[str]) -> Peer | None:
    """remote, refid, stratum, type, when, poll, reach, delay, offset, jitter."""
    if len(fields) != _FIELDS + 1 or not fields[2].isdecimal():
        return None
    try:
        return Peer(tally, fields[0], int(fields[2]), fields[6], float(fields[8]) / 1000)
    except ValueError:
        return None


def parse_sources(text: str, exit_code: int = 0) -> list[str]:
    """One text per source: address, what ntpd thinks of it, stratum, reachability."""
    if exit_code != 0:
        return []
    return [
        f"{peer.remote} ({_STATES.get(peer.tally, peer.tally)}, stratum {peer.stratum}, reach {peer.reach})"
        for peer in parse_peers(text)
    ]
