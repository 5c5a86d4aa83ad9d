"""What a client saw, counted from the records of `lab.load`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.load import Record


@dataclass(frozen=True)
class Gap:
    """A time in which no request was answered. Seconds since the epoch."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True)
class Summary:
    """The whole run. Latencies are seconds, of answered requests only; None when none was answered."""

    sent: int
    answered: int
    failed: int
    errors: dict[str, int]
    """How many requests failed for which reason."""
    nodes: dict[str, int]
    """How many requests which proxy answered."""
    longest_gap: Gap | None
    """None when nothing was sent."""
    median: float | None
    p95: float | None
    p99: float | None
    slowest: float | None


def summarise(records: Iterable[Record]) -> Summary:
    """Count a run."""
    all_records = list(records)
    answered = [record for record in all_records if record.answered]
    failed = [record for record in all_records if not record.answered]
    latencies = sorted(record.end - record.start for record in answered)
    return Summary(
        sent=len(all_records),
        answered=len(answered),
        failed=len(failed),
        errors=_count(record.error or f"HTTP status {record.status}" for record in failed),
        nodes=_count(record.node for record in answered if record.node),
        longest_gap=longest_gap(all_records),
        median=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        slowest=latencies[-1] if latencies else None,
    )


def longest_gap(records: Sequence[Record]) -> Gap | None:
    """The longest time between two answers, the begin of the run and its end counting as answers.

    An outage that never ended is so seen in its whole length.
    """
    if not records:
        return None
    moments = sorted(
        [min(record.start for record in records), *(record.end for record in records if record.answered),
         max(record.end for record in records)]
    )  # fmt: skip
    return max((Gap(a, b) for a, b in pairwise(moments)), key=lambda gap: gap.seconds)


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The smallest of the values that at least `percent` of them do not exceed (nearest rank)."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
