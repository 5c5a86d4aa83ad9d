"""What rules say in one sentence, wherever it is asked."""

import pytest

from declaration.errors import Mistake
from declaration.quantities import Duration
from declaration.rules.repeats import inner_domains, repeated
from declaration.rules.seconds import whole_seconds


@pytest.mark.parametrize(("text", "least", "right"), [
    ("1s", 1, True), ("2m", 1, True), ("1s", 2, False), ("0s", 1, False), ("1500ms", 1, False), ("2000ms", 2, True),
])  # fmt: skip
def test_a_time_in_whole_seconds_and_not_too_short(text, least, right):
    told = [] if right else [Mistake("a.b", text, f"whole seconds, at least `{least}s`")]
    assert list(whole_seconds("a.b", Duration(text), least)) == told


def test_each_repetition_is_told_where_it_stands():
    assert list(repeated("ports", [80, 443, 80, 80], what="port")) == [
        Mistake("ports[2]", "80", "each port once"),
        Mistake("ports[3]", "80", "each port once"),
    ]
    assert [each.path for each in repeated("users", ["Ann", "ann"], key=str.lower)] == ["users[1]"]


def test_a_domain_within_another_one_is_told_once_wherever_the_other_stands():
    assert list(inner_domains("d", [".b.a.example", "a.example", ".a.example", "c.example"])) == [
        Mistake("d[0]", ".b.a.example", "only `.a.example`, which holds it"),
        Mistake("d[1]", "a.example", "only `.a.example`, which holds it"),
    ]
