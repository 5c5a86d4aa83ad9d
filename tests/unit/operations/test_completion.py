"""What a shell completes, asked as bash asks for it: the words so far, and the number of the one to be completed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations.adopt.engines import ENGINES
from operations.cli import _app
from operations.stacks import project_root, render, stack_file
from tests.support.commands import commands

NODES = ["qsp-a", "qsp-b"]
NOT_THERE_YET = {("adopt", "--nodes")}
"""The stack, whose nodes these are, is what the command writes."""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose only stack is `lyon`."""
    templates = project_root() / "stacks" / "templates"
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "templates").symlink_to(templates)
    (tmp_path / "Pulumi.yaml").write_text("name: squid-ha\n")
    monkeypatch.chdir(tmp_path)
    stack_file("lyon").write_text(render("lab.yaml.j2", lab="/lab"))


def completed(*words: str) -> list[str]:
    """What the last of these words can become."""
    asked = {
        "_SQUID_HA_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["squid-ha", *words[:-1]]) + f" {words[-1]}",
        "COMP_CWORD": str(len(words)),
    }
    done = CliRunner().invoke(_app.build(), [], env=asked, prog_name="squid-ha")
    assert done.exit_code == 0, done.output
    return done.stdout.split()


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
