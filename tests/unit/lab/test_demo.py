"""What the demo makes of what it sees."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from lab import demo
from lab.errors import LabError
from lab.load import Record
from lab.narrate import Narrator
from operations.credentials import MASK
from tests.unit.operations.test_credentials import pulumi_that_says


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


def test_what_pulumi_says_is_shown_without_the_backends_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = 'error: unable to open state database "postgres://pulumi:geheim@127.0.0.1:1/pulumi": refused\n'
    monkeypatch.setattr(demo, "PROJECT", pulumi_that_says(tmp_path, said))
    shown = io.StringIO()
    narrator = Narrator(Console(file=shown, width=demo.WIDTH, soft_wrap=True), 1)
    with pytest.raises(LabError), narrator.step("pulumi up"):
        demo.up(narrator)
    assert "geheim" not in shown.getvalue()
    assert f"postgres://pulumi:{MASK}@127.0.0.1:1" in shown.getvalue()
