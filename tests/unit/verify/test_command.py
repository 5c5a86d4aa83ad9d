"""`squid-ha verify` as it is called."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from operations import site as sites
from operations import verify as verifying
from operations.cli import verify as cli
from operations.stacks import StackTrouble
from operations.verify.model import Check, FileChange, Report
from operations.verify.show import render
from tests.support.terminal import alone


class FakeHosts:
    owner = "squid-ha/lab"

    def __init__(self, site: object) -> None:
        self.site = site

    def cluster(self, progress: object) -> str:
        return "cluster"

    def run(self, work: object) -> object:
        return work


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, site: object) -> list[tuple[object, ...]]:
    """What was asked for; the answer is a report with one check that `passed`."""
    made: list[tuple[object, ...]] = []

    def report(*arguments: object) -> Report:
        made.append(arguments)
        failed = arguments[-1].requests == 13  # pyright: ignore[reportAttributeAccessIssue]
        check = Check(name="client's request", where="[x]", passed=not failed, seen="[red]5 of 5")
        change = FileChange(node="qsp-a", file="/l/access.log", before=None, after=3, became="new")
        return Report(stack="lab", phase=3, checks=[check], files=[change])

    monkeypatch.setattr(sites, "hosts_of", lambda stack: FakeHosts(site))
    monkeypatch.setattr(verifying, "verify", report)
    monkeypatch.setattr(verifying, "verify_rotation", lambda *arguments: report("rotation", *arguments))
    return made


def run(*arguments: str):
    return alone(cli.command, arguments)


def test_exit_codes_and_json(calls: list[tuple[object, ...]]) -> None:
    assert run("lab").exit_code == 0
    failed = run("lab", "--json", "--requests", "13")
    assert failed.exit_code == 3
    document = json.loads(failed.stdout)
    assert document["passed"] is False
    assert document["checks"][0]["seen"] == "[red]5 of 5"


def test_rotation_is_a_word_before_the_stack_and_a_stacks_name_alone(calls: list[tuple[object, ...]]) -> None:
    run("rotation", "lab")
    run("rotation")
    assert [call[0] for call in calls] == ["rotation", "cluster"]


@pytest.mark.parametrize(
    "arguments",
    [("lab", "paris"), ("rotation", "lab", "paris"), ("lab", "--url", "https://x/"), ("lab", "--url", "http://[::1")],
)
def test_calls_that_make_no_sense_are_refused(calls: list[tuple[object, ...]], arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, StackTrouble)
    assert not calls


def test_a_report_shows_every_check_as_it_is_and_the_verdict() -> None:
    checks = [
        Check(name="clock", where="qsp-a", passed=True, seen="source [2001:db8::1], stratum 3"),
        Check(name="mirror's log", where="qsp-a", passed=False, seen="[bold]4 of 5"),
    ]
    change = FileChange(node="qsp-a", file="/mnt/mirror/squid/access.log", before=5, after=None, became="gone")
    console = Console(width=160, record=True)
    console.print(render(Report(stack="lab", phase=3, checks=checks, files=[change])))
    shown = console.export_text()
    for text in ("source [2001:db8::1], stratum 3", "[bold]4 of 5", "failed: 1 of 2 checks.", "5 B"):
        assert text in shown
