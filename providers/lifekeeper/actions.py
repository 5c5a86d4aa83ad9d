"""A node aside and back, maintenance, failures forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import NotVerified, Refused, Unknown, Unreachable
from providers.host.waiting import until
from providers.lifekeeper import live, speaking, stopping, views
from providers.lifekeeper.hierarchy import active, role, service
from providers.lifekeeper.move import MOVE_LIMIT, switchover
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.up import runs, wait_until_up
from providers.lifekeeper.views import IN_SERVICE, View

_STAYS = {"running": True}
STOPS_WITHIN = 6.0
"""Seconds that a stop which was sent before an interrupt may take to show."""
FOUND_WITHIN = 60.0
"""Seconds after its start until LifeKeeper has looked at all that it protects."""
_COMING = frozenset({"Stopped", "Starting"})
"""States of a member that LifeKeeper may not have looked at yet."""


async def aside(cluster: Cluster, node: str) -> None:
    """Move the service away and stop LifeKeeper there. A boot of that node starts it again.

    Raises `Refused`, before anything is moved, where LifeKeeper has somebody else's resources in service there.
    """
    seen = await live.read(cluster)
    other = next((name for name in cluster.nodes if name != node and name in seen), None)
    if node not in seen:
        try:
            await views.read(cluster, [node])
        except Unreachable as error:
            raise Refused(
                f"{node} cannot be put aside while it does not answer: its LifeKeeper would start at the next boot",
                node=node,
                remedy="declare it `away: true` if it stays off",
            ) from error
        return
    _refuse_others(node, seen)
    if active({node: seen[node]}):
        if other is None:
            raise Refused("the service runs here, and there is no other node to move it to", node=node)
        await switchover(cluster, other, seen=seen)
    await speaking.say(cluster, Line(node, "lkcli stop", "Stop LifeKeeper"))
    cluster.progress(f"{node}: LifeKeeper is stopped; a boot of this node starts it again")


def _refuse_others(node: str, seen: Mapping[str, View]) -> None:
    """LifeKeeper that is stopped in order takes all out of service, and the other node takes nothing over."""
    members, view = service(seen), seen[node]
    others = sorted(tag for tag in view.instances if tag not in members and view.state(tag) in IN_SERVICE)
    if others:
        raise Refused(
            "LifeKeeper is not stopped here: these resources in service are not Squid's, and would go down with it: "
            f"{', '.join(others)}",
            node=node,
            remedy="move them to the other node first, or take them out of service, in LifeKeeper's own interface",
        )


async def back(cluster: Cluster, node: str) -> None:
    """Start LifeKeeper there; with switchback intelligent the service stays where it is."""
    await _start(cluster, node)


async def maintenance(cluster: Cluster, on: bool) -> None:
    """Stop LifeKeeper everywhere and leave what it protects running (``lkstop -f``); or start it again.

    It is stopped nowhere before every node has settled (`stopping.settled`). A node that does not answer holds up no
    other. Raises `Unreachable` for it at the end: whether LifeKeeper runs there, and acts, nobody here can tell. Who is
    interrupted on the way into it has LifeKeeper started again where it was stopped: one that runs on one node only is
    neither maintenance mode nor a pair that fails over.
    """
    silent: dict[str, Unreachable] = {}
    stopped: list[str] = []

    async def pause(cluster: Cluster, name: str) -> None:
        if (await views.read(cluster, [name]))[name].running:
            stopped.append(name)
            await speaking.say(cluster, Line(name, "lkstop", "Stop LifeKeeper, leaving the service running", _STAYS))

    try:
        for act in (stopping.settled, pause) if on else (_start,):
            for name in cluster.nodes:
                try:
                    if name not in silent:
                        await act(cluster, name)
                except Unreachable as error:
                    silent[name] = error
    except asyncio.CancelledError:
        await _resume(cluster, stopped)
        raise
    if silent:
        raise next(iter(silent.values()))
    if not on:
        await _found_again(cluster)


async def _found_again(cluster: Cluster) -> None:
    """Wait until LifeKeeper, which has just started, sees all of the service run, or a part of it failed, at most
    `FOUND_WITHIN`: in which order it finds what it had left running is not published.

    Where it tells nothing of the service by then, it runs all the same, and whoever asks what runs where is told why.
    """
    cluster.progress("Waiting until LifeKeeper has found what runs")
    await until(lambda: live.so_far(cluster), _found, FOUND_WITHIN)


def _found(seen: Mapping[str, View]) -> bool:
    """Whether there is nothing to wait for any more; not while no node tells of the service."""
    try:
        here = active(seen)
    except Unknown:
        return False
    states = {role(seen.get(name), tag) for name in here for tag in service(seen)}
    return len(here) > 1 or (bool(states) and states.isdisjoint(_COMING))


async def _resume(cluster: Cluster, names: Sequence[str]) -> None:
    """Start LifeKeeper again where it was stopped, or is being stopped by a command that was sent before.

    On all nodes at once: it may come up later than one who interrupts waits (`providers.connection.loop`), and what was
    sent by then is carried out on the node, while what was not sent never is.
    """

    async def again(node: Node) -> None:
        cluster.progress(f"{node.name}: interrupted, so LifeKeeper is started again")
        await views.until(
            lambda: views.read(cluster, [node.name]), lambda seen: not seen[node.name].running, STOPS_WITHIN
        )
        await _start(cluster, node.name)

    await cluster.each(again, names)


async def _start(cluster: Cluster, name: str) -> None:
    node = cluster.node(name)
    if not await runs(node):
        await speaking.say_plainly(cluster, Line(name, "lkcli start", "Start LifeKeeper"))
    # Until then its lists may fail, or be empty.
    await wait_until_up(cluster, node)
    _, up = await views.until(
        lambda: views.read(cluster, [name]),
        lambda seen: seen[name].running and not seen[name].starting,
        MOVE_LIMIT,
    )
    if not up:
        raise NotVerified("LifeKeeper did not come up", node=name, remedy="see /var/log/lifekeeper.log there")


async def cleanup(cluster: Cluster) -> None:
    """A resource that failed (OSF) on the standby is taken out of service there, so that it is standby again (OSU).

    LifeKeeper keeps no other failures that bar a node. Raises `NotVerified` for what stays failed: where it runs is
    not for this to say.
    """
    seen = await live.read(cluster)
    here = active(seen)
    for name, view in seen.items():
        if not here or name in here:
            continue
        for tag in reversed(service(seen)):
            if view.state(tag) == "OSF":
                values = {"tag": tag, "action": "remove"}
                await speaking.say(cluster, Line(name, "perform_action", f"Take {tag} out of service", values))
    _refuse_failed(await live.read(cluster))


def _refuse_failed(seen: Mapping[str, View]) -> None:
    members = service(seen)
    failed = [f"{tag} on {name}" for name, view in seen.items() for tag in members if view.state(tag) == "OSF"]
    if failed:
        raise NotVerified(
            f"failed, and LifeKeeper does not put it in service by itself: {', '.join(failed)}",
            remedy="correct the cause (/var/log/lifekeeper.log there), then put the service in service where it shall "
            "run: `squid-ha switchover STACK --to NODE`",
        )
