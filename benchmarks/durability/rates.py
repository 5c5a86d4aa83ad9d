"""How fast Squid answered under each setting: what wrk says, the order of the rounds, medians. Pure."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from rich.table import Table

from lab.errors import LabError

LEAST_HITS = 0.99
"""Which part of the requests Squid has to answer from memory: others measure the origin."""

T = TypeVar("T")

# The path is what a client sends to a proxy. Without functions of its own for requests, wrk builds the request once.
_SCRIPT = """\
wrk.path = "{url}"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{{"requests": %d, "seconds": %.6f, "failed": %d}}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk counted: requests that were answered within ``seconds``, and how many times something ``failed``."""

    requests: int
    seconds: float
    failed: int


@dataclass(frozen=True)
class Lines:
    """A log after a load: its lines, and those of them that tell of an answer from memory."""

    all: int
    hits: int


@dataclass(frozen=True)
class Run:
    """One load under one setting; ``options`` are those of the mount, '' for none. ``round`` from 1."""

    round: int
    setting: str
    options: str
    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@dataclass(frozen=True)
class Row:
    """All runs of one setting. ``shares``: its rate through that of the reference, in each round that has both."""

    setting: str
    options: str
    rates: Sequence[float]
    shares: Sequence[float]

    @property
    def median(self) -> float:
        """Requests a second."""
        return statistics.median(self.rates)

    @property
    def share(self) -> float | None:
        """The median of the shares; None where there is none."""
        return statistics.median(self.shares) if self.shares else None


def wrk_script(url: str) -> str:
    """What has wrk ask a proxy for ``url``, and say at its end what `read_load` reads."""
    return _SCRIPT.format(url=url)


def read_load(output: str) -> Load:
    """What wrk said with `wrk_script`. Raises LabError where that is not there."""
    last = (output.strip().splitlines() or [""])[-1]
    try:
        return Load(**json.loads(last))
    except (ValueError, TypeError):
        raise LabError(f"wrk ended without its numbers; its last line: {last or 'none'}") from None


def require_sound(load: Load, logs: Mapping[str, Lines]) -> None:
    """Raise LabError for a load that did not measure how fast hits are answered and written to every one of the logs.

    ``logs``: path → what is in it after Squid has ended.
    """
    if not load.requests or load.failed:
        raise LabError(f"of {load.requests} requests {load.failed} failed, or were not answered with the page")
    for path, lines in logs.items():
        if lines.all < load.requests:
            raise LabError(f"{load.requests} requests were answered, but {path} has only {lines.all} lines")
        if lines.hits < LEAST_HITS * lines.all:
            raise LabError(f"only {lines.hits} of {lines.all} lines in {path} are of answers from memory")


def drawn(settings: Sequence[T], rounds: int, draw: random.Random) -> list[list[T]]:
    """Each round has all settings, in an order of its own: what slows the machine down for a while hits any of them."""
    return [draw.sample(settings, len(settings)) for _ in range(rounds)]


def rows(runs: Sequence[Run], settings: Sequence[str], reference: str) -> list[Row]:
    """A row per setting that ran, in this order."""
    by_reference = {run.round: run.rate for run in runs if run.setting == reference}
    made: list[Row] = []
    for setting in settings:
        own = [run for run in runs if run.setting == setting]
        if own:
            shares = [run.rate / by_reference[run.round] for run in own if run.round in by_reference]
            made.append(Row(setting, own[0].options, [run.rate for run in own], shares))
    return made


def table(shown: Sequence[Row], reference: str) -> Table:
    """A line per setting; low and high beside each median."""
    headings = ("setting", "mount options", "rounds", "requests/s", "low-high", f"of {reference}", "low-high")
    made = Table(*headings, box=None)
    for column in made.columns:
        column.no_wrap = column.header in headings[:2]
    for row in shown:
        share = "-" if row.share is None else f"{row.share:.1%}"
        spread = f"{min(row.shares):.1%}-{max(row.shares):.1%}" if row.shares else "-"
        rates = (f"{row.median:.0f}", f"{min(row.rates):.0f}-{max(row.rates):.0f}")
        made.add_row(row.setting, row.options or "-", str(len(row.rates)), *rates, share, spread)
    return made


def numbers(runs: Sequence[Run], shown: Sequence[Row], about: Mapping[str, object]) -> str:
    """All of it, as JSON: ``about`` the measurement, the table's numbers, and every run in the order of running."""
    settings = [asdict(row) | {"median": row.median, "share": row.share} for row in shown]
    told = {"settings": settings, "runs": [asdict(run) | {"rate": run.rate} for run in runs]}
    return json.dumps({**about, **told}, indent=2) + "\n"
