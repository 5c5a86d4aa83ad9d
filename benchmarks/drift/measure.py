"""Scans of clean sites, several of each kind: over how many hosts, and how far away they are."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.drift.deviations import named
from benchmarks.drift.fleet import Fleet, Report
from benchmarks.drift.project import Project
from benchmarks.drift.relay import slow_lines
from benchmarks.drift.scan import scan
from lab.errors import LabError

_IDLE = 3
"""Place of idle time in a line of /proc/stat (proc(5))."""


@dataclass(frozen=True)
class Row:
    """Some scans alike. ``round_trip``: milliseconds that were added, None without a relay; the rest is seconds."""

    hosts: int
    round_trip: float | None
    seconds: Sequence[float] = field(default_factory=list[float])
    busy: Sequence[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        """Of the whole command, by the clock."""
        return statistics.median(self.seconds)

    @property
    def median_busy(self) -> float:
        """Of a processor, in the command and its proxy commands."""
        return statistics.median(self.busy)


def idle_share(seconds: float = 10.0) -> float:
    """Which part of the machine's processors has nothing to do, by the kernel's account of so many seconds."""
    before = _ticks()
    time.sleep(seconds)
    spent = [now - then for now, then in zip(_ticks(), before, strict=True)]
    return spent[_IDLE] / (sum(spent) or 1)


def _ticks() -> list[int]:
    first, *_ = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    return [int(word) for word in first.split()[1:9]]


def by_size(fleet: Fleet, sizes: Sequence[int], times: int, report: Report) -> list[Row]:
    """Scans of the first so many pairs. Raises LabError when one is not clean."""
    return [_row(fleet, fleet.project, size, None, times, report) for size in sizes]


def by_distance(fleet: Fleet, round_trips: Sequence[float], times: int, report: Report) -> list[Row]:
    """Scans of all pairs, each host so many milliseconds away. Raises LabError when one is not clean."""
    rows: list[Row] = []
    for round_trip in round_trips:
        with tempfile.TemporaryDirectory(prefix="slow-", dir=fleet.lab) as name:
            folder = Path(name)
            project = fleet.with_sockets(folder / "project", folder)
            with slow_lines(fleet.sockets, folder, round_trip / 1000):
                rows.append(_row(fleet, project, len(fleet.pairs), round_trip, times, report))
    return rows


def _row(fleet: Fleet, project: Project, size: int, round_trip: float | None, times: int, report: Report) -> Row:
    scans = [scan(project, fleet.pairs[:size]) for _ in range(times)]
    for each in scans:
        if not each.clean:
            raise LabError(f"a scan of clean sites ended with {each.code} and names {sorted(named(each))}")
    row = Row(2 * size, round_trip, [each.seconds for each in scans], [each.busy for each in scans])
    away = "" if round_trip is None else f", {round_trip:g} ms away"
    report(f"{row.hosts} hosts{away}: {', '.join(f'{seconds:.2f}' for seconds in row.seconds)} s")
    return row
