"""What a power cut cost, from the client's records and the ids in the surviving log."""

import pytest

from benchmarks.durability.__main__ import SETTINGS, kept, stated, table
from benchmarks.durability.count import Loss, loss, worst
from benchmarks.durability.cut import Setting
from blueprint.durability import INSTANT, bound
from declaration.mirror import Mirror
from lab.load import Record


def record(number: int, end: float, status: int | None = 200) -> Record:
    return Record(id=f"r-{number}", start=end - 0.1, end=end, status=status, error="", node="")


RECORDS = [record(number, 10.0 + number) for number in range(10)]


def ids(*numbers: int) -> set[str]:
    return {f"r-{number}" for number in numbers}


def test_nothing_is_missing():
    assert loss(RECORDS, ids(*range(10)), cut=20.0) == Loss(answered=10, missing=0, gaps=0, seconds=0.0, zeros=0)


def test_the_end_is_missing():
    assert loss(RECORDS, ids(*range(7)), cut=20.0) == Loss(answered=10, missing=3, gaps=0, seconds=3.0, zeros=0)


def test_a_gap_counts_from_its_oldest_request():
    assert loss(RECORDS, ids(0, 1, 3, 4, 5, 6, 7, 8), cut=20.0, zeros=99) == Loss(
        answered=10, missing=2, gaps=1, seconds=8.0, zeros=99
    )


def test_what_was_not_answered_or_answered_afterwards_does_not_count():
    records = [*RECORDS[:5], record(5, 15.0, status=None), record(6, 15.1, status=503), record(7, 20.5)]
    assert loss(records, ids(*range(5)), cut=20.0).missing == 0


def test_a_cut_that_nobody_was_answered_before_measured_nothing():
    with pytest.raises(ValueError, match="no request was answered"):
        loss([record(1, 21.0)], set(), cut=20.0)


def test_the_worst_reaches_furthest_back():
    near, far = Loss(10, 9, 0, 1.0, 0), Loss(10, 1, 1, 7.0, 0)
    assert worst([near, far]) == far


def test_every_setting_has_a_stated_bound_and_its_line():
    assert {stated(each) for each in SETTINGS if each.durability == "sync"} == {0}
    made = table({each: [Loss(10, 0, 0, 0.0, 0)] for each in SETTINGS})
    assert made.row_count == len(SETTINGS)
    assert Setting("ext3", "1s").name == "ext3 1s"


def test_power_cuts_allow_no_more_than_the_stack_says():
    sync = Setting("ext3", "sync")
    told = bound(Mirror.model_validate({"device": "/dev/vdb", "durability": "sync"})).text
    assert f"answers of the last {INSTANT} s may have no line yet" in told
    assert kept(sync, [Loss(10, 1, 0, INSTANT, 0)])
    assert not kept(sync, [Loss(10, 1, 0, INSTANT + 0.01, 0)])
