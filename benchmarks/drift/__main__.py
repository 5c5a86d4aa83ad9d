"""``python -m benchmarks.drift``: timed scans of a fleet of containers; then five changes by hand, to be named exactly.

As root, for the lab's networks. About ten minutes on two cores with 25 pairs, most of them to deploy the sites.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.drift import chart
from benchmarks.drift.deviations import Inexact, deviations, require_exactly
from benchmarks.drift.fleet import Fleet, Report, deploy
from benchmarks.drift.measure import Row, by_distance, by_size, idle_share
from benchmarks.drift.pairs import MOST
from benchmarks.drift.scan import Scan, scan
from lab import image
from lab.errors import LabError
from lab.temporary import temporary_lab
from providers.connection.errors import HostError

SIZES = (1, 2, 5, 10, 25)
ROUND_TRIPS = (0.0, 20.0, 100.0)
PLANTED = 5


def find_planted(fleet: Fleet, report: Report) -> Scan:
    """Change five pairs by hand and have all scanned. Raises `Inexact` unless exactly these changes are named."""
    planted = deviations(fleet.pairs)[:PLANTED]
    for each in planted:
        each.plant(fleet)
        report(f"planted: {each.thing} on {each.node}")
    found = scan(fleet.project)
    require_exactly(planted, found)
    report(f"all {PLANTED} are named and nothing else: {found.seconds:.2f} s, exit code {found.code}")
    return found


def table(rows: Sequence[Row]) -> Table:
    """A line per kind of scan."""
    made = Table("hosts", "round trip", "scans", "median", "shortest", "longest", "of a processor", box=None)
    for row in rows:
        made.add_row(
            str(row.hosts),
            "-" if row.round_trip is None else f"{row.round_trip:g} ms",
            str(len(row.seconds)),
            *(f"{seconds:.2f} s" for seconds in (row.median, min(row.seconds), max(row.seconds), row.median_busy)),
        )
    return made


def numbers(idle: float, sizes: Sequence[Row], distances: Sequence[Row], found: Scan) -> str:
    """All of it, as JSON; ``idle``: share of the machine that the fleet leaves while nobody scans it."""
    planted = {"seconds": found.seconds, "busy": found.busy, "code": found.code}
    told = {"by_size": [asdict(row) for row in sizes], "by_distance": [asdict(row) for row in distances]}
    return json.dumps({"idle": idle, **told, "planted": planted}, indent=2) + "\n"


def main() -> int:
    """0: the five changes were named and no other; 1: they were not, or something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--pairs", type=int, default=MOST, help=f"pairs of containers, at least 6 ({MOST})")
    parser.add_argument("--engine", choices=("pacemaker", "lifekeeper"), default="pacemaker", help="of all of them")
    parser.add_argument("--times", type=int, default=3, help="scans of each kind (3)")
    parser.add_argument("--output", type=Path, help="file for all numbers, as JSON")
    parser.add_argument("--chart", type=Path, help="file for the chart, as SVG")
    given = parser.parse_args()
    # Ended from outside, such as by timeout(1), it takes its lab along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    began = time.monotonic()

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)

    try:
        built = image.ensure(report)
        with temporary_lab(built) as lab, tempfile.TemporaryDirectory(prefix="squid-ha-fleet-") as folder:
            fleet = deploy(lab, Path(folder), given.pairs, given.engine, report)
            scan(fleet.project, fleet.pairs[:1])  # the first start of the program may compile it
            idle = idle_share()
            report(f"the fleet by itself leaves {idle:.0%} of the machine idle")
            sizes = by_size(fleet, [each for each in SIZES if each <= given.pairs], given.times, report)
            distances = by_distance(fleet, ROUND_TRIPS, given.times, report)
            found = find_planted(fleet, report)
    except (LabError, HostError, Inexact, image.ImageError, ValueError) as error:
        Console(stderr=True, highlight=False).print(f"drift: {error}", markup=False)
        return 1
    console.print(table([*sizes, *distances]))
    if given.output:
        given.output.write_text(numbers(idle, sizes, distances, found), encoding="utf-8")
    if given.chart:
        chart.write(sizes, distances, given.chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
