"""Nodes that are not waited for longer than somebody looks at a screen: one that hangs hides nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result
from providers.connection.errors import Unreachable

T = TypeVar("T")


def impatient(cluster: Cluster, limit: float) -> Cluster:
    """The same, for one reading: a node that does not answer within ``limit`` seconds is `Unreachable` from then on."""
    return replace(cluster, nodes={name: _Impatient(node, limit) for name, node in cluster.nodes.items()})


class _Impatient:
    def __init__(self, node: Node, limit: float) -> None:
        self._node = node
        self._limit = limit
        self._silent = False

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
        # Not asked again in this reading: whoever does would wait as long once more.
        if not self._silent:
            try:
                async with asyncio.timeout(self._limit):
                    return await ask()
            except TimeoutError:
                self._silent = True
        raise Unreachable(
            f"it did not answer within {self._limit:g} s",
            node=self.name,
            remedy="see on its console whether it hangs; it is asked again at the next reading",
        )
