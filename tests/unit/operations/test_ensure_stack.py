"""Pulumi's stacks in a backend that others use at the same moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from operations import stacks
from operations.stacks import ensure_stack
from operations.trouble import StackTrouble

LYON = [{"name": "organization/squid-ha/lyon"}]


class Backend:
    """Lists one thing at first and another later; each new stack is refused with the words given, if there are any."""

    def __init__(self, *listed: list[dict[str, str]], refuses: str = "") -> None:
        self.listed = list(listed)
        self.refuses = refuses
        self.asked: list[str] = []

    def pulumi(self, arguments: Sequence[str], root: Path) -> str:
        self.asked.append(arguments[1])
        if arguments[1] == "ls":
            return json.dumps(self.listed.pop(0))
        if self.refuses:
            raise StackTrouble(self.refuses)
        return ""


@pytest.mark.parametrize(
    ("backend", "new", "asked"),
    [
        (Backend(LYON), False, ["ls"]),
        (Backend([]), True, ["ls", "init"]),
        # Two ways in which Pulumi says that somebody was faster.
        (Backend([], LYON, refuses="stack 'organization/squid-ha/lyon' already exists"), False, ["ls", "init", "ls"]),
        (Backend([], LYON, refuses="could not create stack: could not list bucket"), False, ["ls", "init", "ls"]),
    ],
    ids=["known", "new", "made meanwhile", "being made"],
)
def test_a_stack_is_there_afterwards_whoever_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend, new: bool, asked: list[str]
) -> None:
    monkeypatch.setattr(stacks, "pulumi", backend.pulumi)
    assert ensure_stack("lyon", tmp_path) is new
    assert backend.asked == asked


def test_what_else_is_refused_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "pulumi", Backend([], [], refuses="permission denied").pulumi)
    with pytest.raises(StackTrouble, match="permission denied"):
        ensure_stack("lyon", tmp_path)
