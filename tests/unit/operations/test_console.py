"""What hosts say is printed as they say it, to whatever standard output is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.control import Control
from rich.table import Column, Table
from rich.text import Text

from operations.cli import _app, _console
from operations.project import project_root
from tests.support.terminal import squid_ha

MAIN = "from operations.cli import main; main()"
FULL = Path("/dev/full")


def run(program: str, *words: str, out: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of Python's, with another standard output."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=project_root(),
        env={**os.environ, **environment},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("text", ["ocf:heartbeat:IPaddr2", "root:x:0:0:root:/root:/bin/bash", "fd00:b::1"])
def test_nothing_becomes_an_emoji(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    _console.out.print(text, markup=False)
    _console.err.print(text)
    assert capsys.readouterr() == (f"{text}\n", f"{text}\n")


HOSTILE = "\x1b]52;c;cm0=\x1b\\\x9b2J\n  ::stop-commands::x\n##[add-mask]e"
SHOWN = "\ufffd]52;c;cm0=\ufffd\\\ufffd2J\n  | ::stop-commands::x\n## [add-mask]e\n"


@pytest.mark.parametrize(
    "say", [_console.tell, partial(_console.err.print, markup=False), lambda text: _console.err.print(Text(text))]
)
def test_what_a_host_says_gives_no_orders_however_it_is_printed(
    say: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    say(HOSTILE)
    assert capsys.readouterr().err == SHOWN


def test_a_line_of_a_table_that_was_folded_is_no_order(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", Column("b", overflow="fold", width=8), box=None)
    table.add_row("one", "12345678::x\x1b[2J")
    _console.out.print(table, soft_wrap=False)
    shown = capsys.readouterr().out
    assert not re.search(r"^\s*::", shown, re.MULTILINE)
    assert "| ::x\ufffd[2J" in shown


def test_colours_and_cursor_of_our_own_get_through(monkeypatch: pytest.MonkeyPatch) -> None:
    console = _console.Output()
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "_color_system", ColorSystem.STANDARD)
    with console.capture() as captured:
        console.print("[red]down \x1b[2J[/red]")
        console.control(Control.home())
    assert captured.get() == "\x1b[31mdown \ufffd[2J\x1b[0m\n\x1b[H"


def test_orders_to_the_runner_are_ours_alone(capsys: pytest.CaptureFixture[str]) -> None:
    _console.out.order("::warning title=lyon::qsp-a says \x1b[2J")
    _console.out.print("::warning::mine")
    assert capsys.readouterr().out == "::warning title=lyon::qsp-a says \ufffd[2J\n| ::warning::mine\n"


@pytest.mark.parametrize("said", [HOSTILE, "\x7f", "fd00:b::1 → ähnlich", "##[[["])
def test_a_document_says_the_same_and_gives_no_orders(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.dumps({"said": said}, indent=2, ensure_ascii=False)
    _console.Output().document(plain)
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"said": said}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]|##\\[|^\\s*::", shown, re.MULTILINE)
    if said.isprintable() and "##[" not in said:
        assert shown == plain + "\n"


def printing(statement: str) -> str:
    """The program that runs this statement in the place of a command."""
    return f"from operations.cli import _app, logs; _app.build = lambda: lambda: {statement}; _app.main()"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_an_encoding_has_no_letter_for_is_escaped(encoding: str) -> None:
    done = run(printing("_app.out.print('a → b')"), PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a \\u2192 b\n", "")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (MAIN, ["--version"]),
        (MAIN, ["validate", "--help"]),
        (printing("_app.out.document('x' * 100_000)"), []),
        (printing("logs._show([b'x' * 100_000])"), []),
    ],
    ids=["a line", "help", "document", "records"],
)
def test_a_standard_output_that_is_full_is_told_in_a_sentence(program: str, words: list[str]) -> None:
    with FULL.open("wb") as full:
        done = run(program, *words, out=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("standard output cannot be written: No space left on device\n  → ")
    assert "Traceback" not in done.stderr


def test_a_full_standard_output_does_not_hide_why_there_is_no_result() -> None:
    with FULL.open("wb") as full:
        done = run(MAIN, "plan", "nowhere", "--commands", "--json", out=full.fileno())
    assert done.returncode == 2
    assert "there is no stack `nowhere`" in done.stderr


def test_a_reader_that_is_gone_ends_the_command_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(MAIN, "--version", out=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def every_command() -> list[str]:
    """All commands, those of groups too."""
    found: list[str] = []
    for name, module in _app.commands():
        group = getattr(module, "app", None)
        within = [each.name or each.callback.__name__ for each in group.registered_commands] if group else [""]
        found += [f"{name} {each}".strip() for each in within]
    return found


@pytest.mark.parametrize("command", every_command())
def test_help_on_a_narrow_terminal_cuts_no_word_short(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    shown = squid_ha(*command.split(), "--help").stdout
    assert f" {command} " in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
