"""The journals of a thing that belongs to the cluster as a whole: every node keeps the same entries.

A node may be replaced at any time; what one of them recorded counts for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from providers.connection.cluster import Cluster
from providers.contract import PENDING


async def entries(cluster: Cluster) -> dict[str, str]:
    """What any node has recorded."""
    recorded = await cluster.each(lambda node: cluster.journal(node).entries())
    return {name: value for each in recorded.values() for name, value in each.items()}


async def begin(cluster: Cluster, before: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Record ``before`` on every node, where no node recorded it earlier (``known``), and mark the change as begun."""
    first = {name: known.get(name, value) for name, value in before.items()}
    await cluster.each(lambda node: cluster.journal(node).record({**first, PENDING: "yes"}))


async def finish(cluster: Cluster, drop: Collection[str] = ()) -> None:
    """The change is complete; entries in ``drop`` have nothing left to undo."""
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING, *drop]))


async def forget(cluster: Cluster) -> None:
    """Everything has been undone."""
    await cluster.each(lambda node: cluster.journal(node).forget())
