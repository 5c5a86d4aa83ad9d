"""What a shell completes, asked as each shell's script asks for it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer._completion_shared import get_completion_script
from typer.testing import CliRunner, Result

from operations.adopt.engines import ENGINES
from operations.cli import _app
from operations.project import stack_file
from operations.stacks import render
from tests.support.commands import commands

NODES = ["qsp-a", "qsp-b"]
NOT_THERE_YET = {("adopt", "--nodes")}
"""The stack, whose nodes these are, is what the command writes."""


@pytest.fixture(autouse=True)
def project(empty_project: Path) -> None:
    """A project whose only stack is `lyon`."""
    stack_file("lyon").write_text(render("lab.yaml.j2", lab="/lab"))


def asked(shell: str, *words: str) -> Result:
    """What the program answers a shell that completes the last of these words."""
    line = shlex.join(["squid-ha", *words[:-1]]) + f" {words[-1]}"
    told = {"COMP_WORDS": line, "COMP_CWORD": str(len(words))} if shell == "bash" else {"_TYPER_COMPLETE_ARGS": line}
    action = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"} if shell == "fish" else {}
    variables = {"_SQUID_HA_COMPLETE": f"complete_{shell}", **told, **action}
    return CliRunner().invoke(_app.build(), [], env=variables, prog_name="squid-ha")


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What the last of these words can become."""
    done = asked(shell, *words)
    assert done.exit_code == 0, done.output
    if shell == "zsh":
        offered = re.fullmatch(r"_arguments '\*: :\(\((.*)\)\)'\n", done.stdout, re.DOTALL)
        if offered is None:
            assert done.stdout == "_files\n", "zsh runs it, so it has to be one of its functions"
            return []
        return [shlex.split(line.replace(":", " ", 1))[0] for line in offered[1].splitlines()]
    # Behind a tab, fish shows what it is.
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


def takes_a_node(parameter: Any) -> bool:
    return "NODE" in (parameter.metavar or "")


OPTIONS = [
    (words, name, parameter.metavar)
    for words, command in commands().items()
    for parameter in command.params
    for name in parameter.opts
    if takes_a_node(parameter) and name.startswith("--") and (*words, name) not in NOT_THERE_YET
]
ARGUMENTS = [
    words
    for words, command in commands().items()
    if any(takes_a_node(parameter) and not parameter.opts[0].startswith("-") for parameter in command.params)
]


STACKS = [
    (words, parameter.metavar, parameter.nargs != 1)
    for words, command in commands().items()
    for parameter in command.params
    if parameter.param_type_name == "argument" and "STACK" in (parameter.metavar or "")
]
NEW = {("adopt",), ("init",)}
"""What they name is written by them: there is nothing to complete it to."""
SHELLS = ("bash", "zsh", "fish")


def test_every_command_takes_a_stack_or_the_name_of_a_new_one() -> None:
    assert {words for words, *_ in STACKS} == set(commands()) - NEW


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("words", "metavar", "several"), STACKS, ids=[" ".join(words) for words, *_ in STACKS])
def test_every_shell_completes_a_stack_by_its_name(
    shell: str, words: tuple[str, ...], metavar: str, *, several: bool
) -> None:
    every = ["rotation", "lyon"] if "rotation" in metavar else ["lyon"]
    assert completed(*words, "", shell=shell) == every
    assert completed(*words, "ly", shell=shell) == ["lyon"]
    assert completed(*words, "--json", "ly", shell=shell) == ["lyon"]
    assert completed(*words, "os", shell=shell) == [], "there is no such stack"
    if several:
        assert completed(*words, "oslo", "ly", shell=shell) == ["lyon"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_completes_commands_groups_and_nodes(shell: str) -> None:
    assert completed("sta", shell=shell) == ["start", "status"]
    assert completed("node", "", shell=shell) == ["aside", "back"]
    assert completed("node", "aside", "lyon", "", shell=shell) == NODES
    assert completed("switchover", "lyon", "--to", "", shell=shell) == NODES
    assert "--victim" in completed("resolve", "split-brain", "lyon", "--v", shell=shell)


@pytest.mark.parametrize(("begun", "code"), [("ly", 0), ("os", 1)])
def test_fish_offers_files_only_where_there_is_nothing_to_complete_to(
    begun: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "_SQUID_HA_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": f"squid-ha status {begun}",
        "_TYPER_COMPLETE_FISH_ACTION": "is-args",
    }
    done = CliRunner().invoke(_app.build(), [], env=variables, prog_name="squid-ha")
    assert (done.exit_code, done.stdout) == (code, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_that_a_shell_installs_asks_by_these_variables(shell: str) -> None:
    script = get_completion_script(prog_name="squid-ha", complete_var="_SQUID_HA_COMPLETE", shell=shell)
    assert f"_SQUID_HA_COMPLETE=complete_{shell}" in script
    assert {"bash": "COMP_CWORD=", "zsh": "_TYPER_COMPLETE_ARGS=", "fish": "_TYPER_COMPLETE_FISH_ACTION="}[
        shell
    ] in script


def test_there_are_options_and_arguments_that_take_a_node() -> None:
    assert {(*words, name) for words, name, _ in OPTIONS} >= {
        ("switchover", "--to"), ("resolve", "split-brain", "--victim"), ("logs", "--local"),
        ("verify", "--from"), ("drill", "--from"),
    }  # fmt: skip
    assert set(ARGUMENTS) == {("node", "aside"), ("node", "back"), ("start",)}


@pytest.mark.parametrize(
    ("words", "option", "metavar"), OPTIONS, ids=[" ".join((*words, name)) for words, name, _ in OPTIONS]
)
def test_an_option_that_takes_a_node_is_completed_to_the_nodes_of_the_stack_before_it(
    words: tuple[str, ...], option: str, metavar: str
) -> None:
    every = ["here", *NODES] if metavar.startswith("here") else NODES
    assert completed(*words, "lyon", option, "") == every
    assert completed(*words, "lyon", "--json", option, "qsp-b") == ["qsp-b"]
    assert completed(*words, "lyon", f"{option}=qsp") == NODES
    assert completed(*words, "oslo", option, "qsp") == [], "there is no such stack"
    assert completed(*words, option, "qsp") == [], "the stack is not told yet"


@pytest.mark.parametrize("words", ARGUMENTS, ids=" ".join)
def test_an_argument_that_is_a_node_is_completed_too(words: tuple[str, ...]) -> None:
    assert completed(*words, "lyon", "") == NODES
    assert completed(*words, "") == ["lyon"]


def test_nodes_are_completed_where_only_the_rotation_is_verified() -> None:
    assert completed("verify", "rotation", "lyon", "--from", "") == ["here", *NODES]


def test_the_engine_of_a_site_to_adopt_is_completed() -> None:
    assert completed("adopt", "lyon", "--engine", "") == list(ENGINES)
