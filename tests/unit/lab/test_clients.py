"""What a step cost the clients, from the records of their requests."""

import pytest

from lab.load import Record
from tests.support.clients import Cost, cost, table


def record(number: int, start: float, end: float, *, answered: bool = True) -> Record:
    return Record(f"r-{number}", start, end, 200 if answered else None, "" if answered else "refused", "")


RECORDS = [
    record(1, 0.0, 0.1),
    record(2, 1.0, 1.1),
    record(3, 2.0, 2.1, answered=False),
    record(4, 3.0, 3.1),
    record(5, 4.0, 4.1),
    record(6, 9.0, 9.1, answered=False),
]


def test_only_what_was_under_way_in_the_step_counts():
    found = cost("a step", 1.05, 3.05, RECORDS)
    assert (found.sent, found.failed) == (3, 1)
    assert found.seconds == pytest.approx(2.0)
    assert found.pause == pytest.approx(2.0), "from the answer at 1.1 to that at 3.1"


def test_an_outage_that_outlasts_the_step_counts_in_full():
    assert cost("the last", 4.05, 4.2, RECORDS).pause == pytest.approx(5.0)


def test_the_table_has_a_line_per_step():
    assert table([Cost("1 to 2", 61.2, 480, 0, 0.2), Cost("2 to 3", 9.0, 72, 3, 1.25)]).splitlines() == [
        "step    took  requests  failed  longest time without an answer",
        "1 to 2  61 s  480       0       0.20 s",
        "2 to 3  9 s   72        3       1.25 s",
    ]
