"""The exit codes that pipelines rely on: a table that does not change, and which error is which."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import typer

from operations import cli, stacks
from operations.cli import _app, _arguments, _exit, validate
from operations.stacks import Misused, StackTrouble, project_root, stack_file
from providers.connection import errors


def test_the_codes_are_stable_and_written_down() -> None:
    codes = {name: value for name, value in vars(_exit).items() if name.isupper()}
    assert codes == {
        "DONE": 0, "FAILED": 1, "USAGE": 2, "DIFFERS": 3, "UNREACHABLE": 4, "REFUSED": 5, "INTERRUPTED": 130,
    }  # fmt: skip
    assert cli.__doc__ is not None
    told = [line.split()[0] for line in cli.__doc__.splitlines() if line[:4] == "    " and line.strip()[:1].isdigit()]
    assert told == [str(code) for code in codes.values()]


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
