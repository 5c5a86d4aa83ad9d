"""Constraints by which DRBD's fencing keeps a half that is behind from becoming the source, and when they are over.

The half that was behind takes its constraint back itself, once, when it has caught up (``after-resync-target``). Where
Pacemaker does not run on its node at that moment, as on a node that is being replaced, nobody does: the mirror is in
step, and the node could never take the service over.
"""

from __future__ import annotations

from providers.connection.cluster import Cluster
from providers.connection.errors import SILENT, Refused
from providers.pacemaker import live
from providers.pacemaker.live import Live
from providers.pacemaker.notices import FENCE
from providers.pacemaker.service import mirrors
from providers.storage.views import read_status


async def behind(cluster: Cluster, current: Live) -> Refused | None:
    """Which half of the service's mirror is not up to date, or does not hear the other one; None if all is in step.

    Raises what keeps a node from telling.
    """
    for resource in mirrors(current.cib):
        views = await cluster.each(lambda node, resource=resource: read_status(node, resource))
        for name, view in views.items():
            if not view.connected or (view.disk, view.peer_disk) != ("UpToDate", "UpToDate"):
                return Refused(
                    f"the mirror {resource} is not up to date on both sides "
                    f"({view.connection or 'no connection'}, {view.disk or '?'} here, {view.peer_disk or '?'} there)",
                    node=name,
                    remedy="wait for the resync, or repair the connection, before moving the service",
                )
    return None


async def lift(cluster: Cluster, current: Live) -> None:
    """Take back those whose reason is gone: both halves are up to date and connected, as both nodes say."""
    kinds = tuple(f"{FENCE}{mirror}-" for mirror in mirrors(current.cib))
    left = [name for name in current.cib.transient() if name.startswith(kinds)]
    if left and await _in_step(cluster, current):
        cluster.progress(f"The mirror is in step, so what kept a half of it from taking over goes: {', '.join(left)}")
        await live.change(cluster, lambda now: now.cib.without_constraints(left), verify=False)


async def _in_step(cluster: Cluster, current: Live) -> bool:
    """Whether both halves say so: one whose node does not answer may be behind."""
    try:
        return await behind(cluster, current) is None
    except SILENT:
        return False
