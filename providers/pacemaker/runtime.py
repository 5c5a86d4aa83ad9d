"""What runs where, and what operators do about it: the runtime role of this engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Refused, Unknown
from providers.pacemaker import live, monitor, stack, stored
from providers.pacemaker.actions import aside, back, cleanup, end_leave, leave, maintenance, way_back
from providers.pacemaker.alone import start_alone
from providers.pacemaker.move import switchover
from providers.pacemaker.notices import apart_of, notices_of
from providers.pacemaker.presence import fenced, online
from providers.pacemaker.service import Tree, active, mount_point, tree_of, where
from providers.pacemaker.service import mirror as mirror_name
from providers.roles import MirrorView, Notice, SplitBrain
from providers.storage import rescue, split
from providers.storage.views import read_views


async def tree(cluster: Cluster) -> Tree:
    """The service tree out of one reading. Raises `Unknown` where no node can tell."""
    return tree_of(await live.read(cluster))


async def active_node(cluster: Cluster) -> str | None:
    """The node that runs the service; None if it runs nowhere. Raises `Unknown` while it is spread over nodes."""
    current = await live.read(cluster)
    nodes = sorted({node for where in where(current).values() for node in where})
    if len(nodes) > 1:
        raise Unknown(
            f"the service is on its way: parts of it run on {' and '.join(nodes)}",
            remedy="run this again when it has settled",
        )
    return nodes[0] if nodes else None


async def wait_settled(cluster: Cluster, limit: float = 120) -> bool:
    """Wait until the cluster plans nothing more, at most ``limit`` seconds; False where it still does."""
    return await live.settle((await live.settled_quorum(cluster, limit)).node, limit)


async def notices(cluster: Cluster) -> Sequence[Notice]:
    """Failures, constraints that tools left, nodes put aside or apart, maintenance mode. Raises `Unknown`."""
    current = await live.read(cluster)
    apart = sorted(node.name for node in current.monitor.nodes if not node.online)
    own = await cluster.each(_own_view, [name for name in apart if name in cluster.nodes])
    alone = {name: _runs(current, view, name) for name, view in own.items() if view is not None and view.quorate}
    return [*notices_of(current), *apart_of(apart, alone)]


async def _own_view(node: Node) -> monitor.Monitor | None:
    """As the node says itself: without fencing one that is not seen may well run the service too."""
    try:
        result = await node.run(monitor.query())
        return stack.parsed(node, result.exit_code, result.stdout)
    except HostError:
        return None


def _runs(current: live.Live, view: monitor.Monitor, name: str) -> list[str]:
    return [member for member, nodes in where(replace(current, monitor=view)).items() if name in nodes]


async def mirror(cluster: Cluster) -> Mapping[str, MirrorView]:
    """Each node's view of the mirror; that of a node which does not answer says so."""
    return await read_views(cluster, stored.mirror_on)


async def split_brain(cluster: Cluster) -> SplitBrain | None:
    """Whether both halves of the mirror have data that the other has not.

    A `resolve` that was cut off while it had the service leave its victim is taken up: that node comes back first.
    """
    await end_leave(cluster)
    return await split.split_brain(cluster, await stored.mirror_of(cluster))


async def save_logs(cluster: Cluster, node: str, source: str, to: str) -> None:
    """Copy a folder of this node's own half, mounted or not, to a new one on the node's own disk."""
    cib = (await live.read(cluster)).cib
    mounted = mount_point(cib)
    if mounted is None:
        raise Refused("the service has no filesystem, so there are no logs on a mirror", node=node)
    await rescue.save(cluster.node(node), mounted, source, to, mirror_name(cib))


async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
    """End a split brain by throwing away what only ``victim`` has.

    A service that runs there leaves it first, and ``left`` is awaited before anything is thrown away.
    """
    current, resource = await live.read(cluster), await stored.mirror_of(cluster)
    if active(current) == victim:
        if await split.split_brain(cluster, resource) is None:
            raise Refused("there is no split brain, so nothing is thrown away", remedy="see `squid-ha status`")
        await leave(cluster, victim)
        await left()
    await split.resolve(cluster, victim, resource)


__all__ = [
    "Tree", "active_node", "aside", "back", "cleanup", "fenced", "maintenance", "mirror", "notices",
    "online", "resolve", "save_logs", "split_brain", "start_alone", "switchover", "tree", "wait_settled",
    "way_back",
]  # fmt: skip
