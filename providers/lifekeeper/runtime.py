"""What runs where, and what operators do about it: the runtime role of this engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from providers.connection.cluster import Cluster
from providers.connection.command import Command, command, script
from providers.connection.errors import Refused, Unknown
from providers.host.waiting import until
from providers.lifekeeper import grammar, live, views
from providers.lifekeeper.actions import aside, back, cleanup, maintenance, start_alone
from providers.lifekeeper.halves import mirror, volume
from providers.lifekeeper.hierarchy import Tree, active, service, tree_of
from providers.lifekeeper.move import MOVE_LIMIT, switchover
from providers.lifekeeper.views import IN_SERVICE, View
from providers.roles import Notice, SplitBrain

# $1: what tells by its exit code whether LifeKeeper runs; then what starts it. In a scope of its own: what it leaves
# running would end with the unit of the timer that starts it.
_WAY_BACK = r"""
test=$1
shift
"$test" >/dev/null 2>&1 || exec systemd-run --scope --quiet --collect -- "$@"
"""


async def tree(cluster: Cluster) -> Tree:
    """The service out of one reading. Raises `Unknown` where no node can tell."""
    return tree_of(await live.read(cluster), list(cluster.nodes))


async def active_node(cluster: Cluster) -> str | None:
    """The node that runs the service; None if it runs nowhere.

    Raises `Unknown` while it is spread over nodes, `Refused` where LifeKeeper is stopped on all, so that none can tell.
    """
    try:
        nodes = active(await live.read(cluster))
    except live.Stopped as stopped:
        raise Refused(stopped.message, remedy=stopped.remedy) from None
    if len(nodes) > 1:
        raise Unknown(
            f"the service is on its way: parts of it are in service on {' and '.join(nodes)}",
            remedy="run this again when it has settled",
        )
    return nodes[0] if nodes else None


async def wait_settled(cluster: Cluster, limit: float = 120) -> bool:
    """Wait until no hierarchy is being changed and none is starting, at most ``limit`` seconds."""

    def still(seen: Mapping[str, View]) -> bool:
        starting = any(each.state == "ILLSTATE" for view in seen.values() for each in view.instances.values())
        return starting or any(view.busy for view in seen.values())

    _, held = await until(lambda: live.read(cluster), lambda seen: not still(seen), limit)
    return held


async def way_back(cluster: Cluster, node: str) -> Mapping[str, Command]:  # noqa: ARG001 no other node can
    """LifeKeeper started by the node itself; a boot does it too."""
    (test,), start = grammar.build("lktest"), grammar.build("lkcli start")
    return {node: script(_WAY_BACK, test, *start, timeout=MOVE_LIMIT, label="lkcli start")}


async def notices(cluster: Cluster) -> Sequence[Notice]:
    """Nodes on which LifeKeeper does not run; what else it notes is in its log."""
    seen = await live.read(cluster)
    return [
        Notice("standby", f"LifeKeeper does not run on {name}, so the service cannot come there", name)
        for name in cluster.nodes
        if name not in seen
    ]


def _no(what: str, remedy: str) -> Refused:
    return Refused(
        f"with `engine: lifekeeper` this program cannot {what}: no command for it is published", remedy=remedy
    )


async def split_brain(cluster: Cluster) -> SplitBrain | None:
    """Refused where the mirror is in service on both nodes: how that is ended is not published. None otherwise."""
    seen = await live.read(cluster)
    for tag in service(seen):
        halves = {name: view.instances[tag] for name, view in seen.items() if tag in view.instances}
        sources = [name for name, each in halves.items() if each.type == "netraid" and each.state in IN_SERVICE]
        if len(sources) > 1:
            raise _no(
                f"end a split brain (the mirror {tag} is in service on {' and '.join(sources)})",
                "`mirror_action TAG fullresync SOURCE TARGET` overwrites the target: see SIOS's manual first",
            )
    return None


async def save_logs(cluster: Cluster, node: str, source: str, to: str) -> None:
    """Copy the folder ``source`` below the mount point where it is mounted."""
    view = (await views.read(cluster, [node]))[node]
    filesystem = (volume(node, view) or (None, None))[0]
    if filesystem is None or filesystem.state not in IN_SERVICE:
        raise _no("read a half of the mirror that is not in service", f"copy from the other node than {node}")
    await cluster.node(node).run(command("cp", "-a", f"{filesystem.id}/{source}", to))


async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
    """Refused, see `split_brain`."""
    del cluster, left
    raise _no(f"throw away what {victim} has", "`mirror_action TAG fullresync SOURCE TARGET`: see SIOS's manual first")


__all__ = [
    "Tree", "active_node", "aside", "back", "cleanup", "maintenance", "mirror", "notices", "resolve", "save_logs",
    "service", "split_brain", "start_alone", "switchover", "tree", "wait_settled", "way_back",
]  # fmt: skip
