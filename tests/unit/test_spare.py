"""Which tests `make test` leaves for another run, and that it says so."""

from __future__ import annotations

import pytest

from tests.support import spare

pytest_plugins = ["pytester"]

FILES = {
    "test_always.py": "def test_one(): pass\ndef test_two(): pass\n",
    "test_file.py": "import pytest\npytestmark = pytest.mark.spare\ndef test_one(): pass\ndef test_two(): pass\n",
    "test_mixed.py": "import pytest\ndef test_always(): pass\n@pytest.mark.spare\n"
    "@pytest.mark.parametrize('n', [1, 2])\ndef test_spare(n): pass\n@pytest.mark.spare\ndef test_other(): pass\n",
}
"""What a stage may look like: a file that always runs, one that is left as a whole, one with single tests."""


@pytest.fixture
def collected(pytester: pytest.Pytester) -> list[pytest.Item]:
    pytester.makeini("[pytest]\nmarkers =\n  spare\n  turns\nasyncio_default_fixture_loop_scope = function\n")
    paths = []
    for name, text in FILES.items():
        path = pytester.path / name
        path.write_text(text)
        paths.append(path)
    return pytester.inline_genitems(*paths, "-p", "no:cacheprovider")[0]


def test_what_always_runs_comes_first_and_the_rest_in_an_order_that_is_drawn(collected: list[pytest.Item]) -> None:
    names = [[item.nodeid for item in spare.arranged(collected, seed)] for seed in range(40)]
    always = ["test_always.py::test_one", "test_always.py::test_two", "test_mixed.py::test_always"]
    assert all(each[:3] == always and sorted(each) == sorted(names[0]) for each in names)
    firsts = {each[3].partition("[")[0] for each in names}
    assert firsts == {"test_file.py::test_one", "test_mixed.py::test_spare", "test_mixed.py::test_other"}
    kept_together = [[name.partition("[")[0] for name in each[3:]] for each in names]
    for each in kept_together:
        assert abs(each.index("test_file.py::test_one") - each.index("test_file.py::test_two")) == 1


TURNS = """
import pytest
def test_always(): pass
@pytest.mark.turns("cuts")
def test_cut(): pass
@pytest.mark.turns("disks")
@pytest.mark.parametrize("disk", ["frozen", "failing", "full"])
def test_disk(disk): pass
"""


def test_of_each_kind_one_takes_its_turn_and_all_do_in_time(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n  turns\nasyncio_default_fixture_loop_scope = function\n")
    items = pytester.inline_genitems(pytester.makepyfile(test_turns=TURNS), "-p", "no:cacheprovider")[0]
    runs = [{item.name for item in items} - {item.name for item in spare.waiting(items, seed)} for seed in range(40)]
    disks = {"test_disk[frozen]", "test_disk[failing]", "test_disk[full]"}
    assert all({"test_always", "test_cut"} < names and len(names & disks) == 1 for names in runs)
    assert set().union(*runs) == {"test_always", "test_cut", *disks}


def test_what_has_begun_goes_on_and_nothing_else_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(spare.time, "monotonic", lambda: now[0])
    limited, unlimited = spare.Time(2), spare.Time(None)
    assert limited.lets("first")
    now[0] = 121.0
    assert limited.lets("first")
    assert not limited.lets("second")
    assert unlimited.lets("second")
