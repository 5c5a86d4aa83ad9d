"""``python -m benchmarks.durability``: some power cuts for each durability, and a table of what each lost.

Hours in an emulated lab: every setting is deployed anew (ten minutes), every cut waits for a failover (some minutes).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.durability.count import Loss, worst
from benchmarks.durability.cut import Setting, cut, deployed_with
from blueprint.durability import INSTANT, bound
from declaration.mirror import Mirror
from lab import lifecycle
from lab.errors import LabError
from providers.connection.errors import HostError

SETTINGS = [
    Setting("ext3", "relaxed"),
    Setting("ext3", "relaxed", data_journal=True),
    Setting("ext3", "1s"),
    Setting("ext3", "sync"),
    Setting("ext3", "sync", data_journal=True),
    Setting("ext4", "relaxed"),
    Setting("ext4", "relaxed", data_journal=True),
    Setting("ext4", "1s"),
    Setting("ext4", "sync"),
    Setting("ext4", "sync", data_journal=True),
    Setting("xfs", "relaxed"),
    Setting("xfs", "sync"),
]


def kept(setting: Setting, losses: Sequence[Loss]) -> bool:
    """Whether no cut cost more than is stated."""
    return worst(losses).seconds <= stated(setting) + INSTANT


def stated(setting: Setting) -> int:
    """The bound, in seconds, that the stack's outputs tell."""
    declared = {"filesystem": setting.filesystem, "durability": setting.durability}
    return bound(
        Mirror.model_validate({"device": "/dev/vdb", "data_journal": setting.data_journal, **declared})
    ).seconds


def measure(setting: Setting, cuts: int, rate: float, seconds: float, console: Console) -> list[Loss]:
    """All power cuts of one setting."""
    losses: list[Loss] = []
    with deployed_with(setting, console.print) as bring_back:
        for number in range(cuts):
            # Not in step with the journal's interval: each cut comes at another point of it.
            found = cut(bring_back(), f"c{time.time():.0f}", rate=rate, seconds=seconds + number * 1.3)
            console.print(f"{setting.name}, cut {number + 1}: {found}")
            losses.append(found)
    return losses


def table(measured: dict[Setting, list[Loss]]) -> Table:
    """A line per setting: the worst of its cuts against the bound."""
    made = Table("setting", "cuts", "answered", "missing", "gaps", "oldest missing", "bound", "zeros", box=None)
    for setting, losses in measured.items():
        far, limit = worst(losses), stated(setting)
        within = "green" if kept(setting, losses) else "red"
        made.add_row(
            setting.name,
            str(len(losses)),
            str(sum(each.answered for each in losses)),
            str(sum(each.missing for each in losses)),
            str(sum(each.gaps for each in losses)),
            f"[{within}]{far.seconds:.1f} s[/{within}]",
            f"{limit} s",
            str(max(each.zeros for each in losses)),
        )
    return made


def main() -> int:
    """0: every cut kept within its bound; 1: one did not, or something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="settings whose name has this, such as 'ext3 sync'")
    parser.add_argument("--cuts", type=int, default=5, help="power cuts per setting (5)")
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second (20)")
    parser.add_argument("--seconds", type=float, default=40.0, help="load before each cut, in seconds (40)")
    parser.add_argument("--output", type=Path, help="file for all numbers, as JSON")
    given = parser.parse_args()
    console = Console(highlight=False)
    chosen = [each for each in SETTINGS if given.only in each.name]
    measured: dict[Setting, list[Loss]] = {}
    started = lifecycle.up(console.print)
    try:
        for setting in chosen:
            measured[setting] = measure(setting, given.cuts, given.rate, given.seconds, console)
    except (LabError, HostError) as error:
        Console(stderr=True, highlight=False).print(f"[red]durability:[/red] {error}")
        return 1
    finally:
        if started:
            lifecycle.down()
        console.print(table(measured))
        if given.output:
            numbers = {setting.name: [asdict(each) for each in losses] for setting, losses in measured.items()}
            given.output.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0 if all(kept(setting, losses) for setting, losses in measured.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
