"""Every command on the pages for operators, and in the pipelines, exists with these options."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from operations.cli._app import build
from tests.support.commands import commands

PROJECT = Path(__file__).parents[3]
PAGES = tuple(sorted(each.name for each in (PROJECT / "docs").glob("*.md")))
PIPELINES = ("github-actions.yml", "gitlab-ci.yml")
OURS = ("squid-ha", "pulumi", "make")
NOT_SHOWN: set[tuple[str, ...]] = set()
"""Commands whose output no page shows."""
_OPERATORS = {"|", "||", "&&", ";", ">", ">>", "<", "(", ")", "{", "}", "&"}


def commands_of(line: str) -> Iterator[list[str]]:
    """The commands of ours in a line of shell, as words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return
    current: list[str] = []
    for word in [*words, ";"]:
        if word in _OPERATORS or set(word) <= set("|&;<>(){}"):
            if current and current[0] in OURS:
                yield current
            current = []
        else:
            current.append(word)


def in_page(path: Path) -> Iterator[list[str]]:
    """Those in blocks of code, and in `code` within the text."""
    text = path.read_text()
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in [*(line for block in blocks for line in block.splitlines()), *re.findall(r"`([^`]+)`", rest)]:
        # Alone, the name of a program is no command; with `...`, something is left out; in brackets, something may be.
        found = commands_of(line.removeprefix("$ "))
        yield from (words for words in found if len(words) > 1 and not {"...", "FILE"} & set(words) and "[" not in line)


def in_pipeline(path: Path) -> Iterator[list[str]]:
    """Those in whatever is run."""
    for script in _scripts(yaml.safe_load(path.read_text())):
        for line in script.splitlines():
            yield from commands_of(line)


def _scripts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key in {"run", "script", "before_script", "after_script"}:
                yield from _texts(below)
            else:
                yield from _scripts(below)
    elif isinstance(value, list):
        for each in value:
            yield from _scripts(each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def wrong_with(words: list[str]) -> str:
    """Why a command cannot be run so; '' if it can."""
    return {"squid-ha": _wrong_with_squid_ha, "pulumi": _wrong_with_pulumi, "make": _wrong_with_make}[words[0]](
        words[1:]
    )


@cache
def _squid_ha() -> Any:
    return typer.main.get_command(build())


def _wrong_with_squid_ha(words: list[str]) -> str:
    found: Any = _squid_ha()
    words = list(words)
    try:
        while isinstance(found, click.Group) or hasattr(found, "commands"):
            if not words:
                return ""
            name = words.pop(0)
            if any(name in option.opts for option in found.params):
                return ""
            if name not in found.commands:
                return f"there is no `squid-ha {name}`"
            found = found.commands[name]
        known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in words if word.startswith("-") and word not in {*known, "--help"}]
        return f"no such option: {' '.join(unknown)}" if unknown else _wrong_arguments(found, words)
    except click.UsageError as error:
        return error.format_message()


def _wrong_arguments(found: Any, words: list[str]) -> str:
    # A page may name a command without its arguments; what is given has to fit.
    if not words:
        return ""
    try:
        found.make_context(found.name, list(words))
    except Exception as error:  # noqa: BLE001 Typer brings a click of its own
        return f"{type(error).__name__}: {error}"
    return ""


@cache
def _help(words: tuple[str, ...]) -> str:
    done = subprocess.run(
        [PROJECT / ".venv/bin/pulumi", *words, "--help"], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    return done.stdout


def _wrong_with_pulumi(words: list[str]) -> str:
    names = [word for before, word in pairwise(["", *words]) if not word.startswith("-") and before != "-s"]
    depth = 2 if names[0] in {"stack", "config"} and len(names) > 1 else 1
    text = _help(tuple(names[:depth]))
    usage = re.search(rf"^  pulumi {' '.join([*names[: depth - 1], ''])}(\S+)", text, re.MULTILINE)
    aliases = re.search(r"^Aliases:\n  (.*)", text, re.MULTILINE)
    called = {*([usage[1]] if usage else []), *(aliases[1].split(", ") if aliases else [])}
    if names[depth - 1] not in called:
        return f"there is no `pulumi {' '.join(names[:depth])}`"
    for word in words:
        if word.startswith("--") and not re.search(rf"{re.escape(word.partition('=')[0])}\b", text):
            return f"no such option: {word}"
        if re.fullmatch("-[a-z]", word) and not re.search(rf"^ *{word},", text, re.MULTILINE):
            return f"no such option: {word}"
    return ""


def _wrong_with_make(words: list[str]) -> str:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    missing = [word for word in words if "=" not in word and word not in targets]
    return f"no such target: {' '.join(missing)}" if missing else ""


@pytest.mark.thorough
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.timeout(300)
def test_every_command_on_a_page_exists(name):
    found = list(in_page(PROJECT / "docs" / name))
    assert found
    assert {" ".join(words): wrong for words in found if (wrong := wrong_with(words))} == {}


@pytest.mark.thorough
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.timeout(300)
def test_every_command_in_a_pipeline_exists(name):
    found = list(in_pipeline(PROJECT / "docs/pipelines" / name))
    assert {words[0] for words in found} == set(OURS)
    assert {" ".join(words): wrong for words in found if (wrong := wrong_with(words))} == {}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "line",
    ["squid-ha staus lyon", "squid-ha drift --al", "squid-ha switchover lyon --into qsp-a", "squid-ha node aside lyon",
     "pulumi up --yess", "pulumi upp -s lyon", "pulumi stack -s lyon --show-urn", "pulumi stack exprt --stack lyon",
     "make setp"],
)  # fmt: skip
@pytest.mark.timeout(300)
def test_a_command_that_does_not_exist_is_found(line):
    (words,) = commands_of(line)
    assert wrong_with(words)


def shown_with_output(text: str) -> set[tuple[str, ...]]:
    """The commands of `squid-ha` that are called in a block of a page, with output below."""
    blocks = re.findall(r"^( *)```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix(indent) for indent, block in blocks for line in [*block.splitlines(), ""]]
    called = [
        tuple(line.removeprefix("$ squid-ha ").split())
        for line, below in pairwise(lines)
        if line.startswith("$ squid-ha ") and below and not below.startswith("$ ")
    ]
    return {words for words in commands() if any(each[: len(words)] == words for each in called)}


def test_the_output_of_every_command_is_shown_on_a_page():
    shown = set[tuple[str, ...]]().union(*(shown_with_output((PROJECT / "docs" / name).read_text()) for name in PAGES))
    assert set(commands()) - shown == NOT_SHOWN


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ("$ squid-ha status lyon\nThe proxy runs.\n", {("status",)}),
        ("$ squid-ha node aside lyon a\n$ squid-ha node back lyon a\na is back.\n", {("node", "back")}),
        ("$ squid-ha status lyon\n", set()),
        ("squid-ha status lyon\nThe proxy runs.\n", set()),
    ],
)
def test_a_command_without_output_below_is_not_shown(block: str, shown: set[tuple[str, ...]]):
    assert shown_with_output(f"text\n\n```\n{block}```\n") == shown
    assert shown_with_output(f"1. text\n\n   ```\n{textwrap.indent(block, '   ')}   ```\n") == shown


# The pipelines themselves


def test_actions_are_pinned_by_commit_and_say_their_version():
    text = (PROJECT / "docs/pipelines/github-actions.yml").read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_the_job_of_a_pull_request_has_no_ssh_key():
    jobs = yaml.safe_load((PROJECT / "docs/pipelines/github-actions.yml").read_text())["jobs"]
    assert "SSH_KEY" not in str(jobs["preview"])
    assert all("SSH_KEY" in str(jobs[name]) for name in ("up", "drift"))
    gitlab = yaml.safe_load((PROJECT / "docs/pipelines/gitlab-ci.yml").read_text())
    assert "SSH_KEY" not in str(gitlab["preview"])


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize(("code", "goes_on"), [(0, True), (3, True), (5, True), (1, False), (2, False), (4, False)])
def test_up_goes_on_where_it_may_mend_something_or_where_there_is_no_engine_to_ask(name, code, goes_on):
    text = (PROJECT / "docs/pipelines" / name).read_text()
    (step,) = [each for each in _scripts(yaml.safe_load(text)) if each.startswith("squid-ha status")]
    done = subprocess.run(["bash", "-e", "-c", f"squid-ha() {{ return {code}; }}\n{step}\n"], check=False)
    assert (done.returncode == 0) is goes_on


@pytest.mark.parametrize("name", PIPELINES)
def test_a_runner_is_set_up_without_the_lab_and_so_without_the_state(name):
    text = (PROJECT / "docs/pipelines" / name).read_text()
    steps = [each for each in _scripts(yaml.safe_load(text)) if "make setup" in each]
    assert steps
    assert set(steps) == {"make setup LAB=no"}


def test_a_deployment_waits_for_an_approval_and_for_the_run_before():
    up = yaml.safe_load((PROJECT / "docs/pipelines/github-actions.yml").read_text())["jobs"]["up"]
    assert up["environment"] == "production"
    assert up["concurrency"]["cancel-in-progress"] is False
    gitlab = yaml.safe_load((PROJECT / "docs/pipelines/gitlab-ci.yml").read_text())["up"]
    assert gitlab["rules"][0]["when"] == "manual"
    assert gitlab["resource_group"] == "squid-ha-$SITE"
