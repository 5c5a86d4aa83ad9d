"""Moving the service on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, NotVerified, Refused
from providers.connection.together import both
from providers.host.waiting import reporting
from providers.lifekeeper import last, live, planned, speaking, split, views
from providers.lifekeeper.halves import mirror, volume
from providers.lifekeeper.hierarchy import arrived, role, roots, service
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import ALIVE, IN_SERVICE, View

MOVE_LIMIT = 600.0


async def switchover(cluster: Cluster, to: str, *, seen: Mapping[str, View] | None = None) -> None:
    """Put the service in service on ``to``, which LifeKeeper takes out on the other node first, and wait for it.

    ``seen`` saves the first reading for who has just made it.

    Raises `Refused` where the target cannot take over, the mirror is not in sync, or nobody can tell whether it is.
    """
    if seen is None:
        seen = await live.read(cluster)
    tags = service(seen)
    if arrived(seen, tags, to):
        return
    _refuse_unfit(cluster, seen, tags, to)
    await split.refuse_victim(cluster, seen, to)
    await _refuse_stale_mirror(cluster, seen, to)
    await split.forget_void(cluster, seen, to)
    async with planned.noted(cluster, to):
        cluster.progress(f"Moving {', '.join(tags)} to {to}")
        await _move(cluster, seen, tags, to)


async def _move(cluster: Cluster, seen: Mapping[str, View], tags: Sequence[str], to: str) -> None:
    for root in roots(seen, tags):
        putting = Line(to, "perform_action", f"Put {root} in service", {"tag": root, "action": "restore"})
        await reporting(
            speaking.say(cluster, putting),
            lambda seconds: cluster.progress(f"Waiting for the service on {to} ({seconds:.0f} s)"),
        )
    now, there = await views.until(lambda: live.read(cluster), lambda told: arrived(told, tags, to), MOVE_LIMIT)
    if not there:
        states = ", ".join(f"{tag} is {role(now.get(to), tag)}" for tag in tags)
        raise NotVerified(
            f"the service did not come to {to}: {states}", node=to, remedy="see /var/log/lifekeeper.log on both nodes"
        )


def _refuse_unfit(cluster: Cluster, seen: Mapping[str, View], tags: Sequence[str], to: str) -> None:
    if to not in seen:
        raise Refused("LifeKeeper does not run on this node", node=to, remedy="`lkcli start` there")
    missing = [tag for tag in tags if tag not in seen[to].instances]
    if missing:
        raise Refused(
            f"these are not extended to this node: {', '.join(missing)}", node=to, remedy="run `pulumi up` first"
        )
    others = [name for name in cluster.nodes if name != to]
    deaf = [name for name in others if seen[to].machines.get(name) != ALIVE]
    if deaf:
        raise Refused(
            f"this node does not hear {', '.join(deaf)}, so both might run the service",
            node=to,
            remedy="see the communication paths in `lcdstatus`; where the other node is off, `squid-ha start --alone`",
        )


async def _refuse_stale_mirror(cluster: Cluster, seen: Mapping[str, View], to: str) -> None:
    found = volume(to, seen[to])  # raises where nobody can tell which mirror has to be whole
    moves = found is not None and found[1].state not in IN_SERVICE
    halves = await mirror(cluster)
    for name, view in halves.items():
        # Where the newest half is already, nothing moves.
        if view.role == "source" and name != to and not view.whole:
            percent = "" if view.percent is None else f", {view.percent:.0f} %"
            raise Refused(
                f"the mirror is not the same on both nodes: {view.connection}{percent}",
                node=name,
                remedy="wait for the resynchronisation before moving the service",
            )
        if moves and name != to and view.trouble and await _may_be_source(cluster, name):
            raise Refused(
                f"this node does not tell how its half of the mirror is, so nobody knows whether {to} has all of it: "
                + view.trouble,
                node=name,
                remedy="run this again once `squid-ha status` shows the mirror there; where this node is lost, switch "
                "it off, and where LifeKeeper does not take over by itself then, `squid-ha start --alone`",
            )
    if moves and all(view.role != "source" for view in halves.values()):
        await _refuse_older_half(cluster, seen, to)


async def _refuse_older_half(cluster: Cluster, seen: Mapping[str, View], to: str) -> None:
    """Where no node has the mirror in service none tells how far the other half is: only the last source may come up.

    Raises `Refused` for a node that was not it, and where the nodes do not tell which one was. A half that a person has
    given up after a split brain, in which both were sources, is none.
    """
    tags = service(seen)
    mirrors = [tag for tag in split.mirrors_of(seen) if to not in split.sources(seen, tag)]
    asking = cluster.each(lambda node: last.notes(node, mirrors))
    noted, given_up = await both(asking, split.victims(cluster, seen))
    restoring = f"`/opt/LifeKeeper/bin/perform_action -t {' '.join(roots(seen, tags))} -a restore`"
    for tag in mirrors:
        bearing = [name for name, notes in noted.items() if name not in given_up and (last.LAST_OWNER, tag) in notes]
        if bearing == [to]:
            continue
        if len(bearing) == 1:
            raise Refused(
                f"LifeKeeper has {tag} in service on no node, and had it last on {bearing[0]}, not here "
                f"({last.file(tag)} is missing)",
                node=to,
                remedy=f"`squid-ha switchover STACK --to {bearing[0]}`; where its half is lost for good: {restoring} "
                "here takes this one and overwrites that",
            )
        raise Refused(
            f"LifeKeeper has {tag} in service on no node, and nobody knows which half is the newer one: "
            f"{last.file(tag)} lies on {' and '.join(bearing) or 'no node'}",
            node=to,
            remedy=f"/var/log/lifekeeper.log on both nodes tells where it was in service last: {restoring} on that "
            "node takes its half and overwrites the other",
        )


async def _may_be_source(cluster: Cluster, name: str) -> bool:
    """Whether LifeKeeper runs on a node that does not tell of its half, or nobody can tell that either."""
    try:
        return (await views.read(cluster, [name]))[name].running
    except HostError:
        return True
