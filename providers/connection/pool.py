"""Clusters of real nodes: connections, journals and the lock, shared by all who work on a site in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from providers.connection.access import ConnectionSettings
from providers.connection.cluster import Cluster
from providers.connection.journal import NodeJournal
from providers.connection.lock import ClusterLock, NodeLock
from providers.connection.loop import at_close
from providers.connection.ssh import SshNode


@dataclass(frozen=True)
class _Site:
    nodes: dict[str, SshNode]
    lock: ClusterLock

    async def close(self) -> None:
        await self.lock.release()
        await asyncio.gather(*(node.close() for node in self.nodes.values()), return_exceptions=True)


# By settings as well as by site: one process may be handed the old and the new address of a node.
_sites: dict[tuple[str, tuple[ConnectionSettings, ...]], _Site] = {}
_guard = threading.Lock()


def open_cluster(
    nodes: Sequence[ConnectionSettings],
    *,
    site: str,
    owner: str,
    progress: Callable[[str], None],
    takeover: bool = False,
    lock_limit: float = 60.0,
) -> Cluster:
    """The cluster of ``site``; connects at the first command, and shares connections and lock with earlier calls.

    To be used on one event loop only (`providers.connection.loop.run_sync`). ``lock_limit``: seconds to wait for
    another run to end.
    """
    key = (site, tuple(nodes))
    with _guard:
        if not _sites:
            at_close(close_all)
        if key not in _sites:
            opened = {settings.name: SshNode(settings) for settings in nodes}
            locks = [NodeLock(node, site) for node in opened.values()]
            _sites[key] = _Site(opened, ClusterLock(locks, progress, limit=lock_limit))
        shared = _sites[key]
    return Cluster(
        site,
        owner,
        dict(shared.nodes),
        lambda node, thing: NodeJournal(node, site, thing),
        progress,
        takeover=takeover,
        hold=shared.lock.hold,
    )


async def close_all() -> None:
    """Release every lock and close every connection of this process."""
    with _guard:
        sites = list(_sites.values())
        _sites.clear()
    await asyncio.gather(*(site.close() for site in sites), return_exceptions=True)
