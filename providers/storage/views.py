"""The mirror as each node sees it: in DRBD's words, and in those that belong to no engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from providers.connection.answers import told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError
from providers.roles import UP_TO_DATE, MirrorView
from providers.storage import drbd
from providers.storage.status import Status, parse

_COPIES = frozenset({"SyncSource", "PausedSyncS", "StartingSyncS"})
_PLAIN = frozenset({"", "Off", "Established"})


async def read_status(node: Node, resource: str) -> Status:
    """What DRBD says on one node."""
    told = await node.run(drbd.status(resource))
    with told_by(node.name):
        return parse(told.stdout, resource)


async def read_views(cluster: Cluster, resource_on: Callable[[Node], Awaitable[str]]) -> dict[str, MirrorView]:
    """Every node's view of the resource that it is said to have; of one that does not answer it is the sentence why."""

    async def ask(node: Node) -> MirrorView:
        try:
            return view(await read_status(node, await resource_on(node)))
        except HostError as error:
            return MirrorView(trouble=error.message.splitlines()[0])

    return await cluster.each(ask)


def view(status: Status) -> MirrorView:
    """What DRBD says, in everybody's words."""
    if not status.configured:
        return MirrorView()
    source = status.role == "Primary" or status.replication in _COPIES
    plain = status.replication in _PLAIN
    return MirrorView(
        role="source" if source else "target",
        connected=status.connected,
        connection=status.connection if plain else status.replication,
        data=_data(status.disk),
        peer_data=_data(status.peer_disk),
        percent=float(status.in_sync) if status.in_sync else None,
    )


def _data(word: str) -> str:
    return UP_TO_DATE if word == "UpToDate" else word
