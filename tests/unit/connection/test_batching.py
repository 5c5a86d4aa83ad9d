"""Readings of one moment go out as one batch, each command once, and every asker gets his own answer or error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from providers.connection.batching import BatchingNode
from providers.connection.command import Command, Result, command
from providers.connection.errors import CommandFailed, TimedOut, Unreachable

GOOD = command("cat", "good", reads=True)
BAD = command("cat", "bad", reads=True)
SLOW = command("cat", "slow", reads=True)
KILLED = command("cat", "killed", reads=True, ok=None)
CODES = {"bad": 1, "slow": 124, "killed": 137}


class Counting:
    """A node that counts what goes out."""

    name = "qsp-a"

    def __init__(self, gone: bool = False, seconds: float = 60.0) -> None:
        self.gone = gone
        self.seconds = seconds
        self.sent: list[list[str]] = []

    async def run(self, command: Command) -> Result:
        self.sent.append([f"run {command}"])
        return Result(command, 0, "", "")

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        self.sent.append([str(each) for each in commands])
        if self.gone:
            raise Unreachable("no connection", node=self.name)
        if any(each.ok is None and CODES.get(each.argv[1]) == 124 for each in commands):
            # As `SshNode` does: what did not end in time has given no answer.
            raise TimedOut("a command did not finish", node=self.name)
        return [Result(each, CODES.get(each.argv[1], 0), each.argv[1], "", self.seconds) for each in commands]


async def test_one_moment_is_one_round_trip_and_each_command_runs_once() -> None:
    inner = Counting()
    node = BatchingNode(inner)
    answers = await asyncio.gather(
        node.run(GOOD),
        node.batch([GOOD, command("cat", "other")]),
        node.run(command("cat", "bad", reads=True, ok=None)),
    )
    assert inner.sent == [["cat good", "cat other", "cat bad"]]
    assert (answers[0].stdout, [each.stdout for each in answers[1]], answers[2].exit_code) == (
        "good", ["good", "other"], 1,
    )  # fmt: skip
    await node.run(GOOD)
    assert len(inner.sent) == 2, "an answer of before was given for one of now"


async def test_the_error_of_one_is_not_that_of_the_others() -> None:
    node = BatchingNode(Counting())
    answers = await asyncio.gather(node.run(GOOD), node.run(BAD), node.run(SLOW), return_exceptions=True)
    assert isinstance(answers[0], Result)
    assert isinstance(answers[1], CommandFailed)
    assert isinstance(answers[2], TimedOut)


@pytest.mark.parametrize(("seconds", "over"), [(60.0, True), (1.0, False)])
async def test_what_was_killed_when_its_time_was_over_has_given_no_answer(seconds: float, over: bool) -> None:
    node = BatchingNode(Counting(seconds=seconds))
    killed, good = await asyncio.gather(node.run(KILLED), node.run(GOOD), return_exceptions=True)
    assert isinstance(good, Result)
    assert isinstance(killed, TimedOut if over else Result)


async def test_a_node_that_is_gone_is_gone_for_all() -> None:
    node = BatchingNode(Counting(gone=True))
    answers = await asyncio.gather(node.run(GOOD), node.run(BAD), return_exceptions=True)
    assert [type(each) for each in answers] == [Unreachable, Unreachable]


@pytest.mark.parametrize("alone", [command("touch", "x"), command("cat", stdin="x", reads=True)])
async def test_what_writes_or_has_input_goes_by_itself(alone: Command) -> None:
    inner = Counting()
    await BatchingNode(inner).run(alone)
    assert inner.sent == [[f"run {alone}"]]
