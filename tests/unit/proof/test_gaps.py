"""How long clients saw no service."""

from __future__ import annotations

import pytest

from operations.proof import prove
from operations.proof.gaps import gaps, longest
from operations.proof.model import Gap
from tests.unit.proof.records import RUN, line, logs, move, request


def silence(start: int, end: int) -> list:
    """Requests 1 to 100, ten a second; those from start to end fail."""
    return [
        request(n, status=None, error="refused") if start <= n < end else request(n, seconds=0) for n in range(1, 101)
    ]


def test_nothing_sent_has_no_gap() -> None:
    assert longest(gaps([])) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (40, 60, Gap(start=1003.9, end=1006.0)),
        (1, 30, Gap(start=1000.1, end=1003.0)),  # from the begin
        (70, 101, Gap(start=1006.9, end=1010.05)),  # an outage that does not end
    ],
)
def test_the_longest_gap_lies_between_answers(start: int, end: int, expected: Gap) -> None:
    assert longest(gaps(silence(start, end))) == expected


def test_each_move_has_the_gap_that_touches_it() -> None:
    sent = [
        request(n, status=None, error="refused") if 20 <= n < 25 or 60 <= n < 80 else request(n, seconds=0)
        for n in range(1, 101)
    ]
    mirror = [line(n) for n in range(1, 101) if not (20 <= n < 25 or 60 <= n < 80)]
    proof = prove(RUN, sent, [move(1002.0, 1002.6), move(1006.2, 1007)], logs(mirror))
    first, second = proof.moves
    assert first.gap is not None
    assert second.gap is not None
    assert (round(first.gap.seconds, 3), first.failed) == (0.6, 5)
    assert (round(second.gap.seconds, 3), second.failed) == (2.1, 20)
    assert proof.longest_gap == second.gap
    assert proof.passed


def test_a_move_that_nobody_noticed_has_a_short_gap() -> None:
    proof = prove(RUN, [request(n) for n in range(1, 50)], [move(1002, 1003)], logs([line(n) for n in range(1, 50)]))
    assert proof.moves[0].gap is not None
    assert proof.moves[0].gap.seconds < 0.2
    assert proof.moves[0].failed == 0
