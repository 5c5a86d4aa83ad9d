"""The exit codes that pipelines rely on: a table that does not change, and which error is which."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import product

import pytest
import typer

from operations import cli, project, stacks
from operations.cli import _app, _arguments, _exit, drift, validate
from operations.drift import Outcome, Report, SiteReport
from operations.project import project_root, stack_file
from operations.trouble import Misused, StackTrouble
from providers.connection import errors

PROJECT = project_root()
IN_WORDS = {int(code): words for code, words in re.findall(r"^    (\d+) +(.+)$", cli.__doc__ or "", re.MULTILINE)}
"""Each code, as the package of the commands says it."""


def table(page: str, heading: str) -> dict[int, str]:
    """The table of exit codes below a heading: code and words, from the top down."""
    text = (PROJECT / "docs" / page).read_text()
    (below,) = re.findall(rf"^{heading}\b.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return {int(code): words for code, words in re.findall(r"^\| (\d+) \| (.+) \|$", below, re.MULTILINE)}


def test_the_codes_are_stable_and_written_down() -> None:
    codes = {name: value for name, value in vars(_exit).items() if name.isupper()}
    assert codes == {
        "DONE": 0, "FAILED": 1, "USAGE": 2, "DIFFERS": 3, "UNREACHABLE": 4, "REFUSED": 5, "INTERRUPTED": 130,
    }  # fmt: skip
    assert list(IN_WORDS) == list(codes.values())


def test_the_page_for_operators_says_of_each_code_what_the_commands_package_says() -> None:
    page = table("operations.md", "## Exit codes")
    assert list(page) == list(IN_WORDS)
    other = {code: words for code, words in page.items() if not words.startswith(IN_WORDS[code])}
    assert other == {}, "where the page says more, it begins with the same words"


@pytest.mark.parametrize(
    ("page", "heading"),
    [("status.md", "# Status"), ("drift.md", "## Outcomes and exit codes"), ("drill.md", "# Drill")],
)
def test_a_page_about_one_command_knows_no_other_codes(page: str, heading: str) -> None:
    assert set(table(page, heading)) <= set(IN_WORDS)
    assert 0 in table(page, heading)


@pytest.mark.parametrize(("page", "heading"), [("status.md", "# Status"), ("drift.md", "## Outcomes and exit codes")])
def test_of_several_sites_the_lowest_code_on_the_page_counts(page: str, heading: str) -> None:
    listed = list(table(page, heading))
    for count in range(1, len(listed) + 1):
        assert _exit.worst(reversed(listed[:count])) == _exit.worst(listed[:count]) == listed[count - 1]


def test_one_order_of_codes_counts_for_all_commands() -> None:
    listed = list(table("status.md", "# Status"))
    (said,) = re.findall(r"the first of (.+?) that applies", (PROJECT / "docs/operations.md").read_text())
    assert [int(code) for code in said.split(", ")] == listed[::-1]
    for pair in product(Outcome, repeat=2):
        assert code_of_scan(*pair) == _exit.worst(code_of_scan(each) for each in pair)


def code_of_scan(*outcomes: Outcome) -> int:
    sites = [SiteReport(stack="lyon", failed=each) for each in outcomes]
    return drift._code(Report(started="", seconds=0, sites=sites))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misused("no stack `x`"), 2),
        (StackTrouble("Pulumi is not set up"), 1),
        (errors.Unreachable("no route", node="qsp-a"), 4),
        (errors.HostKeyRefused("changed", node="qsp-a"), 4),
        (errors.Unknown("no node can tell"), 4),
        (errors.Refused("not now"), 5),
        (errors.Locked("somebody else"), 5),
        (errors.SudoRefused("a password is asked for"), 5),
        (errors.NotVerified("it did not come"), 1),
        (errors.TimedOut("60 s"), 1),
        (errors.CommandFailed("qsp-a", "crm_resource", 1, "no"), 1),
    ],
)
def test_an_errors_class_tells_the_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(monkeypatch, error) == code
    shown = capsys.readouterr()
    assert str(error) in shown.err
    assert shown.out == ""


def test_an_interrupt_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ended(monkeypatch, KeyboardInterrupt()) == 130


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (errors.NotVerified("still aside", node="qsp-a"), "not all is taken back: qsp-a: still aside"),
        (ZeroDivisionError("x"), "not all is taken back: ZeroDivisionError: x"),
    ],
)
def test_what_an_interrupt_could_not_take_back_is_said(
    trouble: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.__cause__ = trouble
    assert _ended(monkeypatch, interrupt) == 130
    assert said in capsys.readouterr().err


def test_what_nobody_expected_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        _ended(monkeypatch, ZeroDivisionError())


def _ended(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def raising() -> Callable[[], None]:
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.command()
        def command() -> None:
            raise error

        return app

    monkeypatch.setattr(_app, "build", raising)
    monkeypatch.setattr(sys, "argv", ["squid-ha"])
    with pytest.raises(SystemExit) as ended:
        _app.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_every_command_and_group_has_a_name_and_help() -> None:
    app = _app.build()
    names = {known.name for known in (*app.registered_commands, *app.registered_groups)}
    assert names == {name for name, _ in _app.commands()}
    assert app is _app.build()
    assert len(app.registered_commands) + len(app.registered_groups) == len(names), "a command was added twice"


def test_a_stack_that_is_missing_is_told_with_those_that_there_are(empty_project) -> None:
    with pytest.raises(Misused, match=r"^there is no stack `oslo`: .* does not exist \(known: none yet\)\.$"):
        project.existing_stack_file("oslo")
    stack_file("lyon").touch()
    with pytest.raises(Misused, match=r"\(known: `lyon`\); `squid-ha init oslo`\.$"):
        validate.command(["oslo"])
    assert project.existing_stack_file("lyon") == stack_file("lyon")


def test_a_stack_that_does_not_exist_is_a_wrong_call_and_a_wrong_declaration_is_not(tmp_path) -> None:
    with pytest.raises(Misused, match="there is no stack `no-such-stack`"):
        validate.command(["no-such-stack"])
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("config:\n  squid-ha:site: {}\n")
    with pytest.raises(typer.Exit) as ended:
        validate.command([str(wrong)])
    assert ended.value.exit_code == 1


def context(stack: str) -> typer.Context:
    found = typer.Context(typer.main.get_command(_app.build()))
    found.params = {"stack": stack}
    return found


def test_nodes_are_completed_from_the_stacks_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project_root()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "templates").symlink_to(root / "stacks/templates")
    (tmp_path / "Pulumi.yaml").write_text("name: squid-ha\n")
    monkeypatch.chdir(tmp_path)
    stack_file("lyon").write_text(stacks.render("lab.yaml.j2", lab="/lab"))

    assert _arguments.stacks() == ["lyon"]
    assert _arguments.nodes(context("lyon")) == ["qsp-a", "qsp-b"]
    assert _arguments.nodes(context("../x")) == []
