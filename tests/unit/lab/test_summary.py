"""What a client saw, counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.load import Record
from lab.summary import longest_gap, percentile, summarise


def record(number: int, start: float, end: float, status: int | None = 200, node: str = "") -> Record:
    return Record(f"r-{number}", start, end, status, "" if status else "nothing within 3 s", node)


def test_nothing_sent() -> None:
    summary = summarise([])
    assert (summary.sent, summary.longest_gap, summary.median) == (0, None, None)


def test_failed_requests_do_not_end_a_gap() -> None:
    records = [record(1, 0, 1), record(2, 5, 8, None), record(3, 9, 9.5, 503), record(4, 20, 21), record(5, 21, 22)]
    summary = summarise(records)
    assert (summary.sent, summary.answered, summary.failed) == (5, 3, 2)
    assert summary.errors == {"nothing within 3 s": 1, "HTTP status 503": 1}
    assert summary.longest_gap is not None
    assert (summary.longest_gap.start, summary.longest_gap.end, summary.longest_gap.seconds) == (1, 21, 20)


def test_an_outage_that_never_ends_is_seen_in_whole() -> None:
    gap = longest_gap([record(1, 0, 1), record(2, 2, 5, None), record(3, 40, 43, None)])
    assert gap is not None
    assert (gap.start, gap.end) == (1, 43)


def test_an_outage_from_the_start_is_seen() -> None:
    gap = longest_gap([record(1, 0, 3, None), record(2, 10, 10.5), record(3, 11, 11.5)])
    assert gap is not None
    assert (gap.start, gap.end) == (0, 10.5)


def test_latencies_are_of_answered_requests_only() -> None:
    summary = summarise([record(n, 0, n / 100) for n in range(1, 101)] + [record(101, 0, 99, None)])
    assert (summary.median, summary.p95, summary.p99, summary.slowest) == (0.5, 0.95, 0.99, 1.0)


def test_answers_are_counted_per_node() -> None:
    assert summarise([record(1, 0, 1, node="a"), record(2, 0, 1, node="b"), record(3, 0, 1, node="a")]).nodes == {
        "a": 2,
        "b": 1,
    }


@given(st.lists(st.floats(0, 1000), min_size=1), st.integers(1, 100))
def test_at_least_that_many_values_do_not_exceed_a_percentile(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= percent * len(ordered)
    assert sum(value < found for value in ordered) * 100 < percent * len(ordered)


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 3), st.sampled_from([200, 503, None])), min_size=1))
def test_no_answer_lies_within_the_longest_gap(runs: list[tuple[float, float, int | None]]) -> None:
    records = [record(number, start, start + took, status) for number, (start, took, status) in enumerate(runs)]
    gap = longest_gap(records)
    assert gap is not None
    assert gap.seconds >= 0
    assert not any(gap.start < each.end < gap.end for each in records if each.answered)
