"""What a site states of itself for its drills."""

from __future__ import annotations

import copy

import pytest

from declaration.errors import DeclarationError
from declaration.load import read
from declaration.site import Site
from tests.unit.declaration.conftest import SITES


def declared(drill: object) -> Site:
    return read(copy.deepcopy(SITES[3]) | {"drill": drill}, "test")


def test_bounds_are_read_and_have_defaults() -> None:
    stated = declared({"planned_gap": "10s", "gaps": {"node-off": "90s"}, "lost_records": 2}).drill
    assert (stated.planned_gap.seconds, stated.unplanned_gap.seconds, stated.lost_records) == (10, 120, 2)
    assert stated.gaps["node-off"].seconds == 90


@pytest.mark.parametrize(
    ("drill", "expected"),
    [
        ({"gaps": {"Node off": "90s"}}, "the name of a scenario"),
        ({"gaps": ["90s"]}, "a section of scenarios and times"),
        ({"gaps": {"node-off": 90}}, "a time with its unit"),
        ({"planned_gap": "soon"}, "a time with its unit"),
        ({"lost_records": -1}, "0"),
        ({"planned_gap": "0s"}, "a time longer than none"),
        ({"unplanned_gap": "0ms"}, "a time longer than none"),
        ({"gaps": {"node-off": "0s"}}, "a time longer than none"),
    ],
)
def test_what_is_no_bound_is_refused(drill: object, expected: str) -> None:
    with pytest.raises(DeclarationError, match=expected):
        declared(drill)
