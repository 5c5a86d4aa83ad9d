"""Secrets of a stack: one run of Pulumi for all of them, none for a site that names none."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from operations.secrets import secrets_of
from operations.stacks import StackTrouble

SAID = json.dumps(
    {
        "squid-ha:site": {"value": '{"a": 1}', "secret": False, "objectValue": {"a": 1}},
        "squid-ha:sudo": {"value": "one", "secret": True},
        "squid-ha:proxy-admin": {"value": "two\n", "secret": True},
    }
)


def test_all_are_read_in_one_run_at_first_use() -> None:
    runs: list[str] = []

    def run(stack: str) -> str:
        runs.append(stack)
        return SAID

    secret = secrets_of("lyon", run)
    assert runs == []
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(secret, ["sudo", "proxy-admin", "missing", "sudo"])) == ["one", "two\n", None, "one"]
    assert runs == ["lyon"]


def test_what_pulumi_refuses_is_told_in_its_words() -> None:
    def run(stack: str) -> str:
        raise StackTrouble(f"no stack named {stack}")

    with pytest.raises(StackTrouble, match="no stack named lyon"):
        secrets_of("lyon", run)("sudo")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "no stack named 'lyon' found",
            "\n  → `pulumi stack init lyon`, or `pulumi login` to the backend that has it",
        ),
        ("incorrect passphrase", ""),
    ],
)
def test_a_stack_that_pulumi_does_not_know_is_told_with_what_makes_it_known(
    empty_project: Path, said: str, remedy: str
) -> None:
    program = empty_project / ".venv/bin/pulumi"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "error: {said}" >&2\nexit 6\n')
    program.chmod(0o755)
    with pytest.raises(StackTrouble) as caught:
        secrets_of("lyon")("sudo")
    assert str(caught.value).endswith(f"ended with exit code 6: error: {said}{remedy}")
