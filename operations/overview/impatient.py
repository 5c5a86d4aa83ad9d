"""Nodes that are not waited for longer than somebody looks at a screen: one that hangs hides nothing else.

What is asked of it hangs there, too, so it is asked again with growing pauses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result
from providers.connection.errors import Unreachable

T = TypeVar("T")


@dataclass
class Pauses:
    """How long nodes that did not answer are left alone, over all readings of one site; in seconds."""

    first: float = 30.0
    longest: float = 300.0
    clock: Callable[[], float] = time.monotonic
    _after: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def silent(self, node: str) -> None:
        """It did not answer: twice the pause of the last time. Of all that was asked at once, the first counts."""
        if self.left(node) <= 0:
            _, pause = self._after.get(node, (0.0, 0.0))
            pause = min(2 * pause, self.longest) if pause else self.first
            self._after[node] = self.clock() + pause, pause

    def answers(self, node: str) -> None:
        """It did."""
        self._after.pop(node, None)

    def left(self, node: str) -> float:
        """Seconds until it is asked again; 0 or less where it may be."""
        return self._after.get(node, (0.0, 0.0))[0] - self.clock()


def impatient(cluster: Cluster, limit: float, pauses: Pauses) -> Cluster:
    """The same, for one reading: a node that does not answer within ``limit`` seconds is `Unreachable` from then on."""
    return replace(cluster, nodes={name: _Impatient(node, limit, pauses) for name, node in cluster.nodes.items()})


class _Impatient:
    def __init__(self, node: Node, limit: float, pauses: Pauses) -> None:
        self._node = node
        self._limit = limit
        self._pauses = pauses

    @property
    def name(self) -> str:
        """The node's name in the declaration."""
        return self._node.name

    async def run(self, command: Command) -> Result:
        """Run one command; see `providers.connection.cluster.Node`."""
        return await self._answer(lambda: self._node.run(command))

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        """Run commands that only read; see `providers.connection.cluster.Node`."""
        return await self._answer(lambda: self._node.batch(commands))

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        if self._pauses.left(self.name) <= 0:
            try:
                async with asyncio.timeout(self._limit):
                    answer = await ask()
            except TimeoutError:
                self._pauses.silent(self.name)
            else:
                self._pauses.answers(self.name)
                return answer
        raise Unreachable(
            f"it did not answer within {self._limit:g} s",
            node=self.name,
            remedy=f"see on its console whether it hangs; it is asked again in {self._pauses.left(self.name):.0f} s",
        )
