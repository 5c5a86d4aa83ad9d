"""Which requests were answered before a power cut and have no record on the surviving half of the mirror. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lab.load import Record


@dataclass(frozen=True)
class Loss:
    """One power cut. ``seconds``: how long before it the oldest request was answered whose record is missing.

    ``gaps`` of the missing ones have records of later requests behind them; ``zeros`` are bytes in the log that are no
    text.
    """

    answered: int
    missing: int
    gaps: int
    seconds: float
    zeros: int


def loss(records: Sequence[Record], recorded: Collection[str], cut: float, zeros: int = 0) -> Loss:
    """Hold what clients were told before ``cut`` (seconds since the epoch) against the ids in the surviving log.

    Raises `ValueError` when nobody was answered before the cut: that measured nothing.
    """
    before = sorted((each for each in records if each.answered and each.end <= cut), key=lambda each: each.end)
    if not before:
        raise ValueError("no request was answered before the power cut")
    missing = [each for each in before if each.id not in recorded]
    last = max((each.end for each in before if each.id in recorded), default=0.0)
    return Loss(
        answered=len(before),
        missing=len(missing),
        gaps=sum(1 for each in missing if each.end < last),
        seconds=max((cut - each.end for each in missing), default=0.0),
        zeros=zeros,
    )


def worst(losses: Sequence[Loss]) -> Loss:
    """The loss that reaches furthest back. Raises `ValueError` for none."""
    return max(losses, key=lambda each: each.seconds)
