"""Rules of access by hand: what Squid does with a request is what the described site does with it."""

from __future__ import annotations

import pytest

from declaration.squid_access import days_of, minutes_of
from operations.adopt import access
from operations.adopt.directives import Reader

WORKDAYS, WEEK = (1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5, 6)
NINE_TO_TEN, NINE_TO_FIVE, WHOLE_DAY = (540, 600), (540, 1020), (0, 1440)
TIMES = {
    "acl t time M T 9:00-10:00": [((1, 2), NINE_TO_TEN)],
    "acl t time MT 9:00-10:00": [((1, 2), NINE_TO_TEN)],
    "acl t time DA 9:00-17:00": [((*WORKDAYS, 6), NINE_TO_FIVE)],
    "acl t time D S 9:00-17:00": [((0, *WORKDAYS), NINE_TO_FIVE)],
    "acl t time D 09:00-17:00 A 9:00-10:00": [(WORKDAYS, NINE_TO_FIVE), ((6,), NINE_TO_TEN)],
    "acl t time M 9:00-10:00 9:00-17:00": [((1,), NINE_TO_TEN), (WEEK, NINE_TO_FIVE)],
    "acl t time SMTWHFA 9:00-10:00": [(WEEK, NINE_TO_TEN)],
    "acl t time SMTWHFA": [(WEEK, WHOLE_DAY)],
    "acl t time M H": [((1, 4), WHOLE_DAY)],
    "acl t time 9:00-10:00 A": [(WEEK, NINE_TO_TEN), ((6,), WHOLE_DAY)],
    "acl t time M-W---- 9:00-10:00": [((1, 3), NINE_TO_TEN)],
    "acl t time A\nacl t time D 9:00-17:00": [((6,), WHOLE_DAY), (WORKDAYS, NINE_TO_FIVE)],
    "acl t time D\nacl T time 9:00-17:00": [(WORKDAYS, WHOLE_DAY), (WEEK, NINE_TO_FIVE)],
}
"""Lists of times → days (Sunday is 0) and minutes by `ACLTimeData::parse` of Squid."""


@pytest.mark.parametrize("lists", TIMES)
def test_a_list_of_times_is_declared_for_the_days_that_squid_takes_it_for(lists: str) -> None:
    reader = Reader(f"{lists}\n", "squid.conf")
    times = access.rule(reader, ("deny", "t"))["times"]
    assert [(days_of(each), minutes_of(each)) for each in times] == TIMES[lists]
