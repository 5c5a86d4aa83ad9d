"""A planned move of the service, timed."""

from __future__ import annotations

import time

from declaration.site import Site
from operations.actions.do import hold
from operations.engines import engine_of
from operations.health import is_whole
from operations.proof.model import Move
from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused


async def move(cluster: Cluster, site: Site, to: str = "") -> Move:
    """Move the service to the node ``to``, or to the other node than the active one; wait until it runs there.

    Where all of it runs there already, nothing is done: the move leads from that node to itself, and takes no time.
    Where only a part does, as after a move that failed half way, the rest is put in service too; where it runs nowhere,
    all of it is, once somebody says where. Raises `Refused` where nobody does or it must not move now, `NotVerified`
    where it did not arrive.
    """
    runtime = engine_of(site).runtime
    source = await runtime.active_node(cluster)
    if source is None and not to:
        raise Refused(
            "the service runs on no node, so it cannot be moved",
            remedy="see `squid-ha status` for why; then `squid-ha cleanup`, or `--to NODE`, which puts it in service "
            "there",
        )
    target = to or next(node.name for node in site.nodes if node.name != source)
    start = time.time()
    if target == source and is_whole(await runtime.tree(cluster)):
        return Move(source=target, target=target, start=start, end=start, arrived=target)
    await runtime.switchover(cluster, target)
    arrived = await runtime.active_node(cluster)
    if arrived != target:
        raise NotVerified(f"the service was to run on {target} and runs on {arrived or 'no node'}")
    return Move(source=source or target, target=target, start=start, end=time.time(), arrived=arrived)


async def planned(cluster: Cluster, site: Site, to: str = "") -> Move:
    """As `move`, alone on the cluster. Raises `Refused` for a node that is declared away, `Locked`."""
    if to and to not in cluster.nodes:
        raise Refused(
            f"{to} is declared away, so the service cannot move there",
            remedy="set `away: false` and run `pulumi up` first",
        )
    if len(cluster.nodes) < len(site.nodes) and not to:
        raise Refused("the other node is declared away, so there is nowhere to move to")
    await hold(cluster)
    return await move(cluster, site, to)
