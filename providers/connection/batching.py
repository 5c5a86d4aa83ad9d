"""A node whose readings of one moment go out as one batch, and each command among them only once.

For readers that ask for many things at a time and do not know of each other: over a slow line it is the round trips
that cost, and on the node the programs that are started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from providers.connection.cluster import Node
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, TimedOut

MOMENT = 0.005
"""Seconds within which commands count as asked at the same time."""
_ANY = frozenset(range(256))
"""Exit codes, all of them: one command that fails, or does not end in time, must not hide what the others say."""


class BatchingNode:
    """``node`` as it is, for its readers. What writes, or has standard input, is passed on by itself."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asked: dict[Command, asyncio.Future[Result]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The node's name in the declaration."""
        return self._node.name

    async def run(self, command: Command) -> Result:
        """Run one command; see `providers.connection.cluster.Node`."""
        if command.writes or command.stdin:
            return await self._node.run(command)
        (result,) = await self.batch([command])
        return result

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        """Run commands that only read, together with all that others ask for now."""
        asked = [self._ask(replace(command, ok=_ANY, writes=False)) for command in commands]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [self._judged(command, answer) for command, answer in zip(commands, answers, strict=True)]

    def _ask(self, command: Command) -> asyncio.Future[Result]:
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_later(MOMENT, self._send)
        return self._asked.setdefault(command, loop.create_future())

    def _send(self) -> None:
        asked, self._asked = self._asked, {}
        task = asyncio.get_running_loop().create_task(self._exchange(asked))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _exchange(self, asked: dict[Command, asyncio.Future[Result]]) -> None:
        try:
            results = await self._node.batch(list(asked))
        except Exception as error:  # noqa: BLE001 - it is for those who asked to judge
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
            return
        for future, result in zip(asked.values(), results, strict=True):
            if not future.done():
                future.set_result(result)

    def _judged(self, command: Command, answer: Result | BaseException) -> Result:
        if isinstance(answer, BaseException):
            raise answer
        result = replace(answer, command=command)
        if result.timed_out and result.exit_code not in (command.ok or ()):
            raise TimedOut(f"`{command}` did not finish within {command.timeout:g} s", node=self.name)
        if result.ok:
            return result
        raise CommandFailed(self.name, str(command), answer.exit_code, answer.stderr)
