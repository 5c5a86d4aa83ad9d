"""Times in which no client was answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from operations.proof.model import Gap, Move, Request


def gaps(requests: Sequence[Request]) -> list[Gap]:
    """The times from each answer to the next.

    The begin of the run and its end count as answers: an outage that never ended is seen in its whole length.
    """
    if not requests:
        return []
    moments = sorted(
        [
            min(request.start for request in requests),
            *(request.end for request in requests if request.answered),
            max(request.end for request in requests),
        ]
    )
    return [Gap(start=before, end=after) for before, after in pairwise(moments)]


def longest(found: Iterable[Gap]) -> Gap | None:
    """The longest of them; the first of equals."""
    return max(found, key=lambda gap: gap.end - gap.start, default=None)


def touching(found: Iterable[Gap], move: Move) -> list[Gap]:
    """Those that overlap the time of a move."""
    return [gap for gap in found if gap.start <= move.end and gap.end >= move.start]
