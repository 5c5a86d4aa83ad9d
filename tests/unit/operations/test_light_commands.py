"""What every command pays for before it does anything: nothing slow is loaded for help, or to complete a stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from operations.project import project_root

TYPERS = "pydantic"
"""Slow too, and loaded by Typer itself for the words of a command."""
SLOW = {"declaration.load", "declaration.site", "jinja2", "ruamel", "yaml", "asyncssh"}
BUILD = "from operations.cli._app import build; build()"
MAIN = "from operations.cli import main; sys.argv[0] = 'squid-ha'; main()"
PROGRAM = """
import json, sys
try:
    {}
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(program: str, *words: str, **environment: str) -> set[str]:
    """What a program of Python's has loaded by its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(program), *words],
        cwd=project_root(),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert "operations.cli.validate" in modules, "every command's module is loaded for any of them"
    return modules


def test_the_modules_of_all_commands_load_nothing_slow() -> None:
    assert not loaded(BUILD) & {*SLOW, TYPERS}


def test_help_of_a_command_loads_nothing_slow() -> None:
    assert not loaded(MAIN, "switchover", "--help") & SLOW


@pytest.mark.parametrize("words", ["status ", "init x --engine "])
def test_completing_what_no_site_has_to_tell_loads_nothing_slow(words: str) -> None:
    asked = {"COMP_WORDS": f"squid-ha {words}", "COMP_CWORD": str(len(words.split(" ")) - 1)}
    assert not loaded(MAIN, _SQUID_HA_COMPLETE="complete_bash", **asked) & SLOW
