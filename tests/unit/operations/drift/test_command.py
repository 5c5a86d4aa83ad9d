"""The command line: which stacks, which outputs, which exit code."""

from __future__ import annotations

import json

import pytest

from operations.cli import drift
from operations.drift import Outcome
from operations.stacks import StackTrouble
from tests.support.terminal import squid_ha
from tests.unit.operations.drift.test_outputs import CLEAN, DRIFT, EVERY, SILENT, WRONG, report

CODES = {"clean": 0, "error": 1, "drift": 3, "unreachable": 4}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    def called(made, *arguments: str):
        monkeypatch.setattr(drift, "_scanned", lambda chosen, *, listed: made)
        monkeypatch.setattr(drift, "every_stack", lambda: ["lyon", "oslo"])
        return squid_ha("drift", *arguments)

    return called


@pytest.mark.parametrize(
    ("made", "code"), [(CLEAN, 0), (DRIFT, 3), (SILENT, 4), (WRONG, 1)], ids=["clean", "drift", "unreachable", "error"]
)
def test_four_outcomes_have_four_exit_codes(run, made, code) -> None:
    assert run(report(made), "lyon").exit_code == code
    assert run(report(CLEAN, made), "--all").exit_code == code
    assert CODES[report(made).outcome.value] == code


def test_every_outcome_has_a_code_of_its_own() -> None:
    assert set(CODES) == {each.value for each in Outcome}


def test_json_is_one_document_and_files_are_written_beside_it(run, tmp_path) -> None:
    done = run(EVERY, "--all", "--json", "--junit", str(tmp_path / "j.xml"), "--prometheus", str(tmp_path / "d.prom"))
    document = json.loads(done.stdout)
    assert document["outcome"] == "error"
    assert [site["outcome"] for site in document["sites"]] == ["clean", "drift", "unreachable", "error"]
    assert {path.name for path in tmp_path.iterdir()} == {"j.xml", "d.prom"}


def test_a_file_that_cannot_be_written_hides_no_other_and_no_report(run, tmp_path) -> None:
    metrics, missing = tmp_path / "d.prom", tmp_path / "missing"
    done = run(EVERY, "--all", "--json", "--junit", str(missing / "j.xml"), "--prometheus", str(metrics))
    assert isinstance(done.exception, StackTrouble)
    assert metrics.exists()
    assert json.loads(done.stdout)["outcome"] == "error"
    done = run(EVERY, "--all", "--junit", str(missing / "j.xml"), "--prometheus", str(missing / "d.prom"))
    assert [each.split()[0] for each in str(done.exception).splitlines()] == [
        str(missing / "j.xml"), str(missing / "d.prom"),
    ]  # fmt: skip


def test_github_gets_annotations(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    done = run(report(DRIFT), "lyon", "--github")
    assert done.stdout.startswith("::warning file=stacks/Pulumi.lyon.yaml")
    assert (tmp_path / "summary").read_text().startswith("## Drift")


@pytest.mark.parametrize("arguments", [[], ["lyon", "--all"], ["lyon", "--json", "--github"]])
def test_what_does_not_go_together_is_refused(run, arguments) -> None:
    done = run(EVERY, *arguments)
    assert type(done.exception).__name__ == "Misused"


@pytest.mark.parametrize(
    ("words", "key", "why"),
    [(("drift", "--all"), "sites", "leads nowhere"), (("validate",), "stacks", "cannot be read")],
)
def test_a_stray_file_or_one_that_leads_nowhere_keeps_no_site_from_being_looked_at(
    empty_project, words, key, why
) -> None:
    """As a copy of a stack file, and one that was removed while the others were read."""
    stacks = empty_project / "stacks"
    (stacks / "Pulumi.oslo.yaml").write_text("config:\n  squid-ha:site: {}\n")
    (stacks / "Pulumi.lyon (copy).yaml").write_text("")
    (stacks / "Pulumi.lyon.yaml").symlink_to(stacks / "gone")
    done = squid_ha(*words, "--json")
    assert done.exit_code == 1, done.output
    lyon, oslo = json.loads(done.stdout)[key]
    assert (lyon["stack"], oslo["stack"]) == ("lyon", "oslo")
    assert why in lyon["message"]
    (notice,) = [line for line in done.stderr.splitlines() if line.startswith("notice: ")]
    assert "Pulumi.lyon (copy).yaml is left out" in notice


def test_a_stack_that_was_named_and_is_not_there_is_a_mistake_of_the_command(empty_project) -> None:
    done = squid_ha("drift", "lyon")
    assert type(done.exception).__name__ == "Misused"
