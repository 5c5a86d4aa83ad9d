"""What the demo makes of what it sees."""

from __future__ import annotations

import pytest

from lab import demo
from lab.errors import LabError
from lab.load import Record


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_its_exit_code_is_the_verdict(monkeypatch: pytest.MonkeyPatch, passed: bool, code: int) -> None:
    monkeypatch.setattr(demo, "demo", lambda narrator, engine: passed)
    assert demo.main() == code


def test_what_went_wrong_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(narrator: object, engine: object) -> bool:
        raise LabError("the lab is [not] there")

    monkeypatch.setattr(demo, "demo", fail)
    assert demo.main() == 1
    assert capsys.readouterr().err.strip() == "demo: the lab is [not] there"


def test_waiting_for_answers_ends_by_answers_or_says_why_not() -> None:
    good = Record("t-1", 1.0, 2.0, 200, "", "")
    bad = Record("t-2", 1.0, 2.0, None, "refused", "")
    demo.await_answers(lambda: [good, bad, good], 2, limit=0)
    with pytest.raises(LabError, match="refused"):
        demo.await_answers(lambda: [good, bad], 2, limit=0)
