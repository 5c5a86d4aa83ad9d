"""The runner of checks and tests: a stage that fails is seen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from setup import packages, stages
from setup.packages import Package
from setup.places import PROJECT
from setup.stages import Outcome


@pytest.mark.parametrize(("failing", "code"), [(None, 0), ("check", 1), ("cluster", 1)])
def test_all_stages_run_and_one_failure_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: str | None, code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["stages", "check", "hosts", "cluster", "-k", "mirror"])
    given: list[list[str]] = []

    def run_stage(name: str, expression: list[str]) -> Outcome:
        given.append(expression)
        return Outcome(name, name != failing, 90.0)

    monkeypatch.setattr(stages, "run_stage", run_stage)

    assert stages.main() == code
    said = capsys.readouterr().out
    assert said.count("passed") == 3 - code
    assert "== summary: 4.5 min" in said
    assert given == [["-k", "mirror"]] * 3


def test_no_unit_test_is_in_neither_half_or_in_both() -> None:
    listed = [PROJECT / each for half in stages.halves() for each in half]
    assert all(each.exists() for each in listed)
    files = [file for each in listed for file in (each.rglob("test_*.py") if each.is_dir() else [each])]
    assert sorted(files) == sorted((PROJECT / stages.UNIT).rglob("test_*.py"))


def test_a_stage_over_its_budget_is_marked() -> None:
    assert "over its budget" in stages.summary([Outcome("check", True, 60 * stages.STAGES["check"] + 1)])
    assert "over its budget" not in stages.summary([Outcome("check", True, 60 * stages.STAGES["check"] - 1)])


def test_the_whole_keeps_its_promise_and_what_somebody_picks_is_not_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(stages.STAGES.values()) * stages.LATE < 70
    monkeypatch.delenv("SQUID_HA_ALL_CUTS", raising=False)
    for name, minutes in stages.SPARE.items():
        assert f"--spare={minutes}" in stages.limits(name, [])
        assert minutes < stages.STAGES[name]
        assert stages.limits(name, ["-k", "mirror"]) == []
    monkeypatch.setenv("SQUID_HA_ALL_CUTS", "1")
    assert stages.limits("cluster", []) == []


def test_shell_scripts_are_known_by_their_first_line(tmp_path: Path) -> None:
    for name, text in {
        "a": "#!/bin/sh\n",
        "b": "#!/usr/bin/env bash\n",
        "c": "#!/usr/bin/python3\n",
        "d": "sh\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert [name for name in "abcde" if stages.is_shell(tmp_path / name)] == ["a", "b"]
    assert {".ci/run", "setup/python.sh"} <= set(stages.shell_scripts())


def test_without_git_the_shell_scripts_fail_in_its_own_words_and_the_rest_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\nexit 128\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(stages, "quiet", lambda name, _command: Outcome(name, True, 0.0))
    monkeypatch.setattr(stages, "aloud", lambda name, _command: Outcome(name, True, 0.0))
    outcomes = stages.check([])
    (failed,) = [outcome for outcome in outcomes if not outcome.passed]
    assert "fatal: detected dubious ownership" in failed.output
    assert "safe.directory" in failed.output
    assert len(outcomes) == 7
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "git").unlink()
    assert "could not be started" in stages.shellcheck().output


def test_a_stage_on_hosts_says_what_the_lab_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "read_list", lambda: [Package("lab", "qemu", "no-such-command")])
    monkeypatch.setattr(stages, "aloud", lambda name, _command: Outcome(name, True, 0.0))
    assert not stages.run_stage("hosts", []).passed
    assert "qemu" in capsys.readouterr().err
    monkeypatch.setattr(packages, "read_list", list[Package])
    assert stages.run_stage("hosts", []).passed


def test_tests_find_code_that_is_compiled_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = stages.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPYCACHEPREFIX"].endswith(".venv/pycache")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert "PYTHONPYCACHEPREFIX" not in stages.environment()
