"""Files and units that belong together and need nothing more: rotation, resource agents, alert scripts."""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Node
from providers.contract import Absent, Observed, Present, State
from providers.host.settings import NodeSettings, converge_settings, prune_settings, read_settings, remove_settings


class Wanted(State):
    """``nodes``: node → its files and units."""

    nodes: dict[str, NodeSettings]


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Everything that is declared, as it is on each node; absent when none of it is there."""
    found = await read_all(cluster, wanted.nodes)
    return Present(Wanted(nodes=found)) if any_there(wanted.nodes, found) else Absent()


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:
    """Bring files and units to what is wanted, on all nodes at once, and take back what is no longer declared."""

    async def write(node: Node) -> None:
        found = observed.values.nodes.get(node.name) if isinstance(observed, Present) else None
        settings = wanted.nodes[node.name]
        await converge_settings(cluster, node, settings, found or await read_settings(node, settings))
        await prune_settings(cluster, node, settings)

    await cluster.each(write, list(wanted.nodes))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Bring back what was there before."""
    await cluster.each(lambda node: remove_settings(cluster, node, wanted.nodes[node.name]), list(wanted.nodes))


async def read_all(cluster: Cluster, wanted: Mapping[str, NodeSettings]) -> dict[str, NodeSettings]:
    """The settings of every node that has some, one round trip each, all at once."""
    return await cluster.each(lambda node: read_settings(node, wanted[node.name]), list(wanted))


def any_there(wanted: Mapping[str, NodeSettings], found: Mapping[str, NodeSettings]) -> bool:
    """Whether any declared file is there; where no file is declared, whether any unit is as declared.

    A unit that merely exists does not count: packages bring it, not this thing. A file that is wanted *not* to be there
    counts as there when it is missing, so that a declaration of nothing but absences is present once it holds.
    """
    for name, settings in wanted.items():
        live = found[name]
        if any((live.files[path].content is None) == (file.content is None) for path, file in settings.files.items()):
            return True
        if not settings.files and any(live.units[unit] == state for unit, state in settings.units.items()):
            return True
        if not settings.files and not settings.units and live.directories:
            return True
    return False
