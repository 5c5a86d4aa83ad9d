"""``python -m benchmarks.durability.speed``: how many requests a second Squid answers under each durability of the log.

As root, for the lab's networks and for loop devices, on a machine that has nothing else to do, with wrk on it. One
container of the lab runs Squid and has its mirror on a loop device over a file in ``--on``: no replication, and a write
that is waited for costs what this machine's disk and the filesystem below the file make of it. Its local log lies in
memory. Each round measures every setting once, in an order drawn anew. What the kernel writes only after 30 s is in no
measurement.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from benchmarks.drift.measure import idle_share
from benchmarks.durability import disks, proxy
from benchmarks.durability.__main__ import SETTINGS
from benchmarks.durability.cut import Setting
from benchmarks.durability.proxy import BASELINE, WARM_UP, Proxy, Variant, variant
from benchmarks.durability.rates import Run, drawn, numbers, rows, table
from lab import image
from lab.errors import LabError
from lab.temporary import temporary_lab
from providers.connection.errors import HostError
from providers.connection.loop import run_sync
from providers.connection.pool import close_all

Report = Callable[[str], None]

REFERENCE = SETTINGS[0].name
ROUNDS = 3
SECONDS = 6
"""Of a load, by default: one commit of a journal that waits 5 s is in each."""
AROUND = 4.0
"""Seconds that a measurement takes besides its loads: mounting, Squid's start and end."""
BEFORE = 40.0
"""Seconds until the first one: the lab, Squid's packages, the disks."""
LONGEST = 50
"""Seconds of a load: the lab waits a minute for a command."""
INTERRUPTED = 130
WIDTH = 110
"""Columns where the output is no terminal."""


def chosen(text: str) -> list[Setting | None]:
    """The settings whose name has ``text``; None is the baseline. The reference is always one of them."""
    named: dict[str, Setting | None] = {BASELINE: None, **{each.name: each for each in SETTINGS}}
    return [each for name, each in named.items() if text in name or name == REFERENCE]


def expected(settings: int, rounds: int, seconds: int) -> float:
    """Minutes that it takes, about."""
    return (BEFORE + settings * rounds * (WARM_UP + seconds + AROUND)) / 60


@contextmanager
def ready(folder: Path, settings: Sequence[Setting | None], report: Report) -> Generator[tuple[Proxy, list[Variant]]]:
    """Squid in a lab of its own, with a disk in ``folder`` for each filesystem, and what it is to be measured with.

    All of it is gone afterwards. Raises LabError, `HostError` or ImageError.
    """
    kinds = sorted({each.filesystem for each in settings if each})
    disks.require_space(folder, len(kinds))
    built = image.ensure(report)
    # The lab ends before the disks go: its end unmounts them.
    with tempfile.TemporaryDirectory(prefix="squid-ha-speed-", dir=folder) as name, ExitStack() as stack:
        devices = {each: stack.enter_context(disks.disk(Path(name) / f"{each}.img")) for each in kinds}
        lab = stack.enter_context(temporary_lab(built))
        stack.callback(lambda: run_sync(close_all()))
        variants = [variant(each, lab) for each in settings]
        report("installing Squid in a container")
        made = proxy.start(lab, devices)
        for kind, wanted in {each.type: each for one in variants if (each := one.filesystem)}.items():
            report(f"making {kind} on {devices[kind]}")
            made.make(wanted)
            disks.settle(devices[kind])
        yield made, variants


def measured(
    made: Proxy, variants: Sequence[Variant], rounds: int, seconds: int, runs: list[Run], report: Report
) -> None:
    """Add a run to ``runs`` for each variant in each round. Raises LabError or `HostError`."""
    for number, order in enumerate(drawn(variants, rounds, random.Random()), 1):
        for each in order:
            load = made.measure(each, seconds)
            run = Run(number, each.name, each.options, load.requests, load.seconds)
            report(f"round {number}, {run.setting}: {run.rate:.0f} requests/s")
            runs.append(run)


def end_once(number: int, frame: FrameType | None) -> None:
    """Interrupt the program; another Ctrl-C does not interrupt its tidying up."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    signal.default_int_handler(number, frame)


def require_tools() -> None:
    """Raise LabError where this cannot run at all."""
    if os.geteuid() != 0:
        raise LabError("this needs root, for the lab's networks and for loop devices: run it with sudo")
    for tool, package in {"wrk": "wrk", "losetup": "mount", "dd": "coreutils"}.items():
        if shutil.which(tool) is None:
            raise LabError(f"{tool} is missing on this machine: `apt-get install {package}`")


def main() -> int:
    """0: everything was measured; 1: something went wrong; 130: interrupted. It shows what was measured by then."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability.speed", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help=f"settings whose name has this, and {REFERENCE}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measurements of each setting ({ROUNDS})")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help=f"load of each measurement, at most {LONGEST} ({SECONDS})"
    )
    parser.add_argument("--on", type=Path, default=Path("/var/tmp"), help="folder on the disk to measure (/var/tmp)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all numbers")
    given = parser.parse_args()
    if given.rounds < 1 or not 1 <= given.seconds <= LONGEST:
        parser.error(f"at least one round, and loads of 1 to {LONGEST} seconds")
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end_once)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    began = time.monotonic()

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False, soft_wrap=True)

    settings, runs = chosen(given.only), list[Run]()
    about: dict[str, object] = {"kernel": platform.release(), "processors": os.cpu_count(), "seconds": given.seconds}
    code = 0
    try:
        require_tools()
        minutes = expected(len(settings), given.rounds, given.seconds)
        report(f"{len(settings)} settings, {given.rounds} rounds: about {minutes:.0f} minutes")
        with ready(given.on, settings, report) as (made, variants):
            about["idle"] = idle_share(3.0)
            report(f"the machine is {about['idle']:.0%} idle before the first measurement")
            measured(made, variants, given.rounds, given.seconds, runs, report)
    except KeyboardInterrupt:
        report("interrupted")
        code = INTERRUPTED
    except (LabError, HostError, image.ImageError, OSError) as error:
        Console(stderr=True, highlight=False).print(f"speed: {error}", markup=False, soft_wrap=True)
        code = 1
    if runs:
        shown = rows(runs, [each.name if each else BASELINE for each in settings], REFERENCE)
        console.print(table(shown, REFERENCE))
        if given.json:
            given.json.write_text(numbers(runs, shown, about), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
