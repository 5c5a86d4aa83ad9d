"""What runs where, and what operators do about it: the runtime role of this engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster
from providers.connection.command import Command, script
from providers.connection.errors import Refused, Unknown
from providers.connection.together import both
from providers.lifekeeper import checks, grammar, live, split, views
from providers.lifekeeper.actions import aside, back, cleanup, maintenance
from providers.lifekeeper.alone import start_alone
from providers.lifekeeper.halves import mirror
from providers.lifekeeper.hierarchy import Tree, active, service, tree_of
from providers.lifekeeper.move import MOVE_LIMIT, switchover
from providers.lifekeeper.resolving import resolve, save_logs
from providers.lifekeeper.split import split_brain
from providers.lifekeeper.views import View
from providers.roles import Notice

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
        seen = await live.read(cluster)
    except live.Stopped as stopped:
        raise Refused(stopped.message, remedy=stopped.remedy) from None
    nodes = active(seen)
    if both_serve := split.told(seen):
        raise Unknown(both_serve, remedy=split.ENDS)
    if len(nodes) > 1:
        raise Unknown(
            f"the service is on its way: parts of it are in service on {' and '.join(nodes)}",
            remedy="run this again when it has settled",
        )
    return nodes[0] if nodes else None


async def wait_settled(cluster: Cluster, limit: float = 120) -> bool:
    """Wait until no hierarchy is being changed and none is starting, at most ``limit`` seconds."""

    def still(seen: Mapping[str, View]) -> bool:
        return any(view.starting or view.busy for view in seen.values())

    _, held = await views.until(lambda: live.read(cluster), lambda seen: not still(seen), limit)
    return held


async def way_back(cluster: Cluster, node: str) -> Mapping[str, Command]:  # noqa: ARG001 no other node can
    """LifeKeeper started by the node itself; a boot does it too."""
    (test,), start = grammar.build("lktest"), grammar.build("lkcli start")
    return {node: script(_WAY_BACK, test, *start, timeout=MOVE_LIMIT, label="lkcli start")}


async def notices(cluster: Cluster) -> Sequence[Notice]:
    """Nodes on which LifeKeeper does not run or checks nothing, a split brain, what failed on the standby node, and
    halves of the mirror that were given up.

    The rest is in its log.
    """
    seen, paused = await both(live.read(cluster), checks.paused(cluster))
    stopped = [
        Notice(
            "standby",
            f"LifeKeeper on {name} does not run, or cannot be asked, so the service may be unable to move there; "
            "`squid-ha node back` starts it",
            name,
        )
        for name in cluster.nodes
        if name not in seen
    ]
    unchecked = [
        Notice("maintenance", f"LifeKeeper checks nothing on {name}, so no failure there is repaired: {why}", name)
        for name, why in paused.items()
        if name in seen
    ]
    given_up = [
        Notice(
            "fence",
            f"the end of a split brain was cut off: {victim}'s half of the mirror is still to be overwritten from "
            f"{survivor}; `squid-ha resolve split-brain` goes on with it",
            victim,
        )
        for victim, survivor in (await split.unfinished(cluster, seen)).items()
    ]
    return [*stopped, *unchecked, *_apart(seen), *_failed(seen), *given_up]


def _apart(seen: Mapping[str, View]) -> list[Notice]:
    try:
        both_serve = split.told(seen)
    except Unknown:
        # Whoever asks what runs is told why.
        return []
    text = f"{both_serve}, so each half is written without the other; {split.ENDS}"
    return [Notice("apart", text)] if both_serve else []


def _failed(seen: Mapping[str, View]) -> list[Notice]:
    """Members that failed on a node while the service runs on another one, as `cleanup` takes them back.

    To LifeKeeper only what is OSU can take over; whether it tries what is OSF is published nowhere.
    """
    try:
        members, here = service(seen), active(seen)
    except Unknown:
        # Whoever asks what runs is told why.
        return []
    return [
        Notice(
            "ban",
            f"{tag} failed on {name}; until that is forgotten (`squid-ha cleanup`) LifeKeeper may leave it out of "
            "service there",
            name,
            tag,
        )
        for name, view in seen.items()
        if here and name not in here
        for tag in members
        if view.state(tag) == "OSF"
    ]


__all__ = [
    "Tree", "active_node", "aside", "back", "cleanup", "maintenance", "mirror", "notices", "resolve", "save_logs",
    "service", "split_brain", "start_alone", "switchover", "tree", "wait_settled", "way_back",
]  # fmt: skip
