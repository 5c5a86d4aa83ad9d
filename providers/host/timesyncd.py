"""systemd-timesyncd's own account of the clock; it is only ever read. Facts: timedatectl(1), ``timesync-status``.

Asking a service that does not run would start it (by D-Bus), so it is only asked where it runs. It goes on telling the
offset of the last answer, however long ago that was; the file that it touches at each one tells when (systemd-timesyncd
.service(8), "Files").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.connection.command import Result, script
from providers.host.clock import NO_SOURCE, Clock

NAME = "systemd-timesyncd"
UNIT = f"{NAME}.service"

_ASK = """
systemctl --quiet is-active systemd-timesyncd.service || exit 3
LC_ALL=C timedatectl timesync-status || exit
touched=$(stat -c %Y /run/systemd/timesync/synchronized 2>/dev/null) || exit 0
echo "Seconds ago: $(($(date +%s) - touched))"
"""
STATUS = script(_ASK, ok=None, timeout=40, label="timedatectl timesync-status", reads=True)

ASK = (STATUS,)
ASK_SOURCES = STATUS

_SILENT = 3 * 3600
"""Seconds without an answer from which on it follows nothing: it asks every 2048 s at the least (timesyncd.conf(5))."""

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|min|h|d|w)\b")
_OFFSET = re.compile(rf"([+-]?)(0|{_PART.pattern}(?: {_PART.pattern})*)")


def clock(results: Sequence[Result]) -> Clock:
    """What `ASK` gave."""
    (result,) = results
    return parse_status(result.stdout or result.stderr, result.exit_code)


def parse_status(text: str, exit_code: int = 0) -> Clock:
    """``timedatectl timesync-status``: a line ``name: value`` each. No packet yet is no source."""
    known = _fields(text)
    if exit_code != 0 or "Server" not in known:
        lines = text.strip().splitlines()
        reason = lines[-1] if lines else f"exit code {exit_code}"
        return Clock(problem=f"systemd-timesyncd does not answer ({reason})")
    offset = _seconds(known.get("Offset", ""))
    if offset is None or known.get("Leap") == "not synchronized" or not known.get("Stratum", "").isdecimal():
        return NO_SOURCE
    ago = known.get("Seconds ago", "")
    if ago.isdecimal() and int(ago) > _SILENT:
        return Clock(problem=f"{known['Server'].split()[0]} has not answered for {int(ago) // 3600} h")
    # Positive when the server is ahead (systemd, timesyncd-manager.c). A node's stratum is one more than its server's.
    return Clock(known["Server"].split()[0], int(known["Stratum"]) + 1, -offset)


def parse_sources(text: str, exit_code: int = 0) -> list[str]:
    """The one server that it asks."""
    known = _fields(text)
    if exit_code != 0 or not known.get("Server"):
        return []
    return [f"{known['Server'].split()[0]} ({known.get('Packet count', '0')} answers)"]


def _fields(text: str) -> dict[str, str]:
    rows = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, separator, value in rows if separator}


def _seconds(text: str) -> float | None:
    """``+1.5ms``, ``-2min 3.1s``, ``0``; None for anything else."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(match[2]))
    return -total if match[1] == "-" else total
