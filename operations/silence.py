"""Asking all nodes at once: what they tell, and why those that tell nothing do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import SILENT, HostError

T = TypeVar("T")


async def heard(cluster: Cluster, ask: Callable[[Node], Awaitable[T]]) -> tuple[dict[str, T], dict[str, HostError]]:
    """What the nodes tell, and what keeps the others from it (`SILENT`), in the order of the nodes.

    Raises any other `HostError` once all have been asked.
    """
    silent: dict[str, HostError] = {}

    async def asked(node: Node) -> list[T]:
        try:
            return [await ask(node)]
        except SILENT as error:
            silent[node.name] = error
            return []

    told = await cluster.each(asked)
    return {name: each[0] for name, each in told.items() if each}, {
        name: silent[name] for name in told if name in silent
    }
