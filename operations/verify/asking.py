"""Asking all nodes at once, where one that does not answer keeps nobody from hearing what the others say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError

T = TypeVar("T")


@dataclass(frozen=True)
class Answers(Generic[T]):
    """``told``: node → what it said; ``silent``: node → why it said nothing."""

    told: Mapping[str, T]
    silent: Mapping[str, HostError]


async def ask(cluster: Cluster, act: Callable[[Node], Awaitable[T]]) -> Answers[T]:
    """``act`` on all nodes at once; no node's error is raised. Both are in the declaration's order."""
    told: dict[str, T] = {}
    silent: dict[str, HostError] = {}

    async def one(node: Node) -> None:
        try:
            told[node.name] = await act(node)
        except HostError as error:
            silent[node.name] = error

    await cluster.each(one)
    order = list(cluster.nodes)
    return Answers(
        {name: told[name] for name in order if name in told}, {name: silent[name] for name in order if name in silent}
    )


def require_all(silent: Mapping[str, HostError]) -> None:
    """Nothing where every node answered. Raises the first one's `HostError`."""
    if silent:
        raise next(iter(silent.values()))
