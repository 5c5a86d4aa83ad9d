"""Starting the service on one node of a pair whose other one is off, which only a person can know.

After both were down DataKeeper brings a mirror into service only once both are back: the half that came first may be
the older one. The last source bears files that say so and bar it (`providers.lifekeeper.last`); a person who knows that
it was the last source has it forced, by the grammar's `mirror_action`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.host.waiting import reporting, until
from providers.lifekeeper import last, live, planned, speaking, split, views
from providers.lifekeeper.hierarchy import arrived, partners, role, roots, service
from providers.lifekeeper.move import MOVE_LIMIT
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.up import UP_LIMIT, wait_until_up
from providers.lifekeeper.views import ALIVE, View


async def start_alone(cluster: Cluster, node: str) -> None:
    """Put the service in service on ``node`` while the other one is off, and wait for it.

    A mirror that is barred there is forced. Raises `Refused` where the other node can be seen, or this half of the
    mirror was given up or was not the last source; `CommandFailed`, `NotVerified`, `TimedOut` where the service does
    not come.
    """
    seen = await _looked_around(cluster, node)
    own = {node: seen[node]}
    # Also a node that is declared away, which is none of the cluster's here.
    others = partners(seen[node], service(own)) | set(cluster.nodes) - {node}
    heard = [name for name in sorted(others) if seen[node].machines.get(name) == ALIVE]
    if heard:
        raise Refused(f"{', '.join(heard)} is alive to LifeKeeper here", node=node, remedy="`squid-ha switchover`")
    await split.refuse_victim(cluster, seen, node)
    mirrors = [tag for tag in split.mirrors_of(own) if not split.sources(own, tag)]
    barred = await _barred(cluster.node(node), mirrors)
    async with planned.noted(cluster, node):
        for tag in barred:
            cluster.progress(
                f"Taking the half of {tag} on {node} for the newest: as far as {node} knows it served last"
            )
            values = {"tag": tag, "action": "force"}
            await speaking.say(cluster, Line(node, "mirror_action", f"Force {tag} online", values))
        for root in roots(own, service(own)):
            putting = Line(node, "perform_action", f"Put {root} in service", {"tag": root, "action": "restore"})
            await reporting(speaking.say(cluster, putting), lambda seconds: _tell_waiting(cluster, node, seconds))
        await _wait_in_service(cluster, node, service(own))


async def _looked_around(cluster: Cluster, node: str) -> Mapping[str, View]:
    """What LifeKeeper tells once it has looked for the other node and at its resources, a while after a boot.

    Only then it hears who is there, and has barred what must not come up.
    """
    seen = await live.read(cluster)
    if node not in seen:
        raise Refused("LifeKeeper does not run on this node", node=node, remedy="`lkcli start` there")
    await wait_until_up(cluster, cluster.node(node))
    seen, known = await views.until(
        lambda: live.read(cluster),
        lambda told: node in told and not told[node].starting,
        UP_LIMIT,
    )
    if not known:
        raise TimedOut(
            f"LifeKeeper has not looked at all of its resources within {UP_LIMIT:.0f} s",
            node=node,
            remedy="see /var/log/lifekeeper.log there",
        )
    return seen


async def _barred(node: Node, mirrors: Sequence[str]) -> list[str]:
    """Of these, the ones that come up only when they are forced. Raises `Refused` for one last in service elsewhere.

    That DataKeeper refuses such a half by itself is published nowhere, and it may lack what the other one has.
    """
    if not mirrors:
        return []
    noted = await last.notes(node, mirrors)
    for tag in mirrors:
        if (last.LAST_OWNER, tag) not in noted:
            raise Refused(
                f"{tag} was not in service here last ({last.file(tag)} is missing), so nothing is started",
                node=node.name,
                remedy="switch the other node on, which may have newer data. Where that is lost for good: "
                f"`/opt/LifeKeeper/bin/mirror_action {tag} force` here takes this half as it is, then run this again",
            )
    return [tag for tag in mirrors if (last.DATA_CORRUPT, tag) in noted]


async def _wait_in_service(cluster: Cluster, node: str, tags: Sequence[str]) -> None:
    now, there = await until(
        # Nobody else is left to tell, and this one cannot while its hierarchy changes under the reading.
        lambda: live.so_far(cluster),
        lambda told: arrived(told, tags, node),
        MOVE_LIMIT,
        report=lambda _, seconds: _tell_waiting(cluster, node, seconds),
    )
    if not there:
        states = ", ".join(
            f"{tag} is {role(now.get(name), tag)} on {name}" for name in dict.fromkeys((node, *now)) for tag in tags
        )
        raise NotVerified(
            f"the service does not run on {node} alone after {MOVE_LIMIT:.0f} s: {states}",
            node=node,
            remedy="see /var/log/lifekeeper.log there, and run this again",
        )


def _tell_waiting(cluster: Cluster, node: str, seconds: float) -> None:
    cluster.progress(f"Waiting for the service on {node} ({seconds:.0f} s)")
