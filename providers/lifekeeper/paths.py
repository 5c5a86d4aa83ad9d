"""Communication paths, in both directions: each node's side is made there, and is ALIVE once the other one exists."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, TimedOut, refuse_all
from providers.contract import PENDING, Absent, Observed, Present, State
from providers.lifekeeper import lcdstatus, speaking, steps, views
from providers.lifekeeper.resource import Route
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import ALIVE, View

ALIVE_LIMIT = 180.0
_MADE_PATH, _MADE_SYSTEM = "path ", "system "
_FOUND_PATH = "found path "
"""A path of somebody else's that is made anew with another priority: gone for a moment, and never this site's."""


class Side(State):
    """One side of a path. ``alive`` while both sides hear each other; ``away``: the other node is declared away, and
    nobody looks. ``priority``: lower is preferred."""

    priority: str
    alive: Literal["yes", "no", "away"] = "yes"


class NodePaths(State):
    """``sides``: ``own address/other node's address`` → how it is."""

    peer: str
    sides: dict[str, Side | None]


class Wanted(State):
    """The paths of this site, on the nodes that are not away; others are left alone."""

    nodes: dict[str, NodePaths]
    route: Route = "documented"


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Each side as its node has it. Absent if there is none. Raises `Unknown` where LifeKeeper does not run."""
    seen = await _read(cluster, wanted)
    nodes = {name: _live(declared, seen[name]) for name, declared in wanted.nodes.items()}
    if all(side is None for node in nodes.values() for side in node.sides.values()):
        return Absent()
    return Present(wanted.model_copy(update={"nodes": nodes}))


async def _read(cluster: Cluster, wanted: Wanted) -> dict[str, View]:
    return await views.telling(cluster, list(wanted.nodes), "its paths")


def _live(declared: NodePaths, view: View) -> NodePaths:
    sides: dict[str, Side | None] = {}
    for addresses, side in declared.sides.items():
        found = view.paths.get((declared.peer, addresses))
        if found is None:
            sides[addresses] = None
        else:
            priority = found.priority or (side.priority if side else "")
            alive = "yes" if found.state in ("", ALIVE) else "no"
            sides[addresses] = Side(priority=priority, alive="away" if side and side.alive == "away" else alive)
    return NodePaths(peer=declared.peer, sides=sides)


def _way(wanted: Wanted) -> list[Step]:
    return [step for name, node in wanted.nodes.items() for step in _of(name, node, wanted.route)]


def _of(name: str, node: NodePaths, route: Route) -> list[Step]:
    made: list[Step] = []
    if route == "documented" and node.sides:
        page = f"Communication path: {node.peer} becomes known"
        known = Line(name, "sys_create", page, {"dest": name, "system": node.peer})
        made.append(Step(known, lambda seen: node.peer in seen[name].systems))
    for addresses, side in node.sides.items():
        local, remote = addresses.split("/")
        priority = int(side.priority) if side else None
        page = f"Create Comm Path: {local} to {remote}"
        if route == "lkcli":
            ends: dict[str, object] = {"laddr": local, "raddr": remote, "dest": node.peer}
            line = Line(name, "lkcli commpath create", page, {**ends, "priority": priority})
        else:
            ends = {"dest": name, "system": node.peer, "type": "TCP", "remote": remote, "local": local}
            line = Line(name, "net_create", page, {**ends, "priority": priority})
        made += [_anew(name, node.peer, addresses, side), Step(line, _there(name, node.peer, addresses))]
    return made


def _there(name: str, peer: str, addresses: str) -> steps.Done:
    return lambda seen: (peer, addresses) in seen[name].paths


def _anew(name: str, peer: str, addresses: str, side: Side | None) -> Step:
    """A path's priority is given when it is made: another one needs another path. Another one carries on meanwhile."""
    local, remote = addresses.split("/")
    values = {"dest": name, "system": peer, "remote": remote, "local": local}
    line = Line(name, "net_remove", f"Delete Comm Path: {local} to {remote}, which has another priority", values)

    def done(seen: Mapping[str, View]) -> bool:
        found = seen[name].paths.get((peer, addresses))
        return found is None or side is None or found.priority in ("", side.priority)

    return Step(line, done, _replaceable(name, peer, addresses, side), fresh=False)


def _replaceable(name: str, peer: str, addresses: str, side: Side | None) -> steps.Ready:
    """The priority is free, and the nodes hear each other meanwhile: without a path each takes the other for dead."""

    async def ready(cluster: Cluster, seen: steps.Views) -> None:
        others = {
            each: path for (system, each), path in seen[name].paths.items() if system == peer and each != addresses
        }
        held = next((each for each, path in others.items() if side and path.priority == side.priority), None)
        if held:
            raise Refused(
                f"the path {addresses} cannot have the priority {side.priority if side else ''}: {held} has it",
                node=name,
                remedy="change one path at a time: give this one a free priority first and run `pulumi up`",
            )
        if side and side.alive != "away":
            await _wait_heard(cluster, name, peer, addresses)
        journal = cluster.journal(name)
        if f"{_MADE_PATH}{addresses}" not in await journal.entries():
            await journal.put({f"{_FOUND_PATH}{addresses}": peer})

    return ready


async def _wait_heard(cluster: Cluster, name: str, peer: str, addresses: str) -> None:
    def heard(seen: Mapping[str, View]) -> bool:
        others = [path for (system, each), path in seen[name].paths.items() if system == peer and each != addresses]
        return any(path.state in ("", ALIVE) for path in others)

    _, alive = await views.until(lambda: views.read(cluster, [name]), heard, ALIVE_LIMIT)
    if not alive:
        raise Refused(
            f"the path {addresses} is the only one over which {peer} is heard, so it is not made anew with another "
            "priority: each node would take the other for dead, and both would run the service",
            node=name,
            remedy="make a second communication path first, or bring back the one that is not ALIVE (`lcdstatus`)",
        )


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return [*steps.fresh(_way(wanted)), *speaking.syncs(wanted.nodes)]


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Both sides of every path, then wait until all are ALIVE; paths of ours that are no longer wanted go last."""
    seen = await _read(cluster, wanted)
    _refuse_misnamed(seen)
    entries = await _entries(cluster, wanted)
    for name, node in wanted.nodes.items():
        found = entries[name]
        missing = [each for each in node.sides if (node.peer, each) not in seen[name].paths]
        new = {f"{_MADE_PATH}{each}": node.peer for each in missing if f"{_FOUND_PATH}{each}" not in found}
        system = {f"{_MADE_SYSTEM}{node.peer}": "made"} if node.peer not in seen[name].systems else {}
        await cluster.journal(name).record({**new, **system})
        await cluster.journal(name).put({PENDING: "communication paths"})
    told = await steps.walk(cluster, _way(wanted), list(wanted.nodes))
    await _wait_alive(cluster, wanted)
    gone = await cluster.each(lambda node: _take_back(cluster, wanted, node.name, keep=True), list(wanted.nodes))
    await _sync(cluster, entries, told=told or any(gone.values()))
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING]), list(wanted.nodes))


MISNAMED = (
    "it is the name that the node had at LifeKeeper's first start. Where the node was cloned or renamed since, and "
    "protects nothing yet: stop LifeKeeper, delete `UNAME`, `networks` and `systems` in /opt/LifeKeeper/config, and "
    "start it"
)


def _refuse_misnamed(seen: Mapping[str, View]) -> None:
    """Paths between systems of other names than the nodes' own would never be ALIVE."""
    refuse_all(
        [
            Refused(f"LifeKeeper knows this node as {told}, not as {name}", node=name, remedy=MISNAMED)
            for name, view in seen.items()
            if (told := view.misnamed(name))
        ]
    )


async def _entries(cluster: Cluster, wanted: Wanted) -> dict[str, dict[str, str]]:
    return await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))


async def _sync(cluster: Cluster, entries: Mapping[str, Mapping[str, str]], *, told: bool) -> None:
    """To disk, where LifeKeeper was ``told`` anything, by this run or maybe by one that was cut off."""
    if told or any(PENDING in known for known in entries.values()):
        await speaking.sync(cluster, entries)


async def _wait_alive(cluster: Cluster, wanted: Wanted) -> None:
    def dead(seen: Mapping[str, View]) -> list[str]:
        return [
            f"{addresses} on {name}"
            for name, node in wanted.nodes.items()
            for addresses, side in node.sides.items()
            if side
            and side.alive == "yes"
            and seen[name].paths.get((node.peer, addresses), lcdstatus.Path("", "")).state not in ("", ALIVE)
        ]

    found, alive = await views.until(
        lambda: views.read(cluster, list(wanted.nodes)),
        lambda seen: not dead(seen),
        ALIVE_LIMIT,
        report=lambda seen, waited: cluster.progress(
            f"waiting for communication paths: {', '.join(dead(seen))} ({waited:.0f} s)"
        ),
    )
    if not alive:
        raise TimedOut(
            f"communication paths are not ALIVE after {ALIVE_LIMIT:.0f} s: {', '.join(dead(found))}",
            remedy="TCP port 7365 must be open between them, and LifeKeeper must run on both nodes: see `lcdstatus`",
        )


async def _take_back(cluster: Cluster, wanted: Wanted, name: str, *, keep: bool) -> bool:
    """Delete this site's own paths, or those of them that are no longer wanted; then systems nobody has a path to.

    Returns whether there was anything to delete.
    """
    told = False
    journal = cluster.journal(name)
    entries = await journal.entries()
    view = (await views.telling(cluster, [name], "its paths"))[name]
    kept = set(wanted.nodes[name].sides) if keep else set[str]()
    if not keep and (needed := needed_by_others(view, wanted.nodes[name].peer, _made(entries))):
        peer = wanted.nodes[name].peer
        cluster.progress(f"{name}: the path {needed} stays: resources that are not this site's are also on {peer}")
        kept.add(needed)
    for entry, peer in entries.items():
        addresses = entry.removeprefix(_MADE_PATH)
        if not entry.startswith(_MADE_PATH) or addresses in kept:
            continue
        if (peer, addresses) in view.paths:
            local, remote = addresses.split("/")
            page = f"Delete Comm Path: {local} to {remote}"
            values = {"dest": name, "system": peer, "remote": remote, "local": local}
            if keep:
                await speaking.check_site(cluster)
            await speaking.say(cluster, Line(name, "net_remove", page, values))
            told = True
        await journal.drop([entry])
    if keep:
        return told
    view = (await views.read(cluster, [name]))[name]
    for peer in [entry.removeprefix(_MADE_SYSTEM) for entry in entries if entry.startswith(_MADE_SYSTEM)]:
        if peer in view.systems and not any(system == peer for system, _ in view.paths):
            line = Line(name, "sys_remove", f"Forget {peer}", {"dest": name, "system": peer})
            await speaking.say(cluster, line)
            told = True
    return told


def _made(entries: Mapping[str, str]) -> list[str]:
    return [entry.removeprefix(_MADE_PATH) for entry in entries if entry.startswith(_MADE_PATH)]


def needed_by_others(view: View, peer: str, made: Sequence[str]) -> str | None:
    """Which of the paths that this site ``made`` has to stay: resources that are left are on both nodes, and no other
    path is heard.

    Without any path each node takes the other for dead and starts what it protects. Both sides find the same one.
    """
    protected = any(node == peer for _, node, _ in view.equivalents)
    there = {addresses: path for (system, addresses), path in view.paths.items() if system == peer}
    heard = any(addresses not in made and path.state in ("", ALIVE) for addresses, path in there.items())
    if not protected or heard:
        return None

    def preferred(addresses: str) -> tuple[int, list[str]]:
        priority = there[addresses].priority
        return (int(priority) if priority.isdecimal() else sys.maxsize, sorted(addresses.split("/")))

    return min((each for each in made if each in there), key=preferred, default=None)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Delete the paths that this site made, on both nodes; not the last one where others need it."""
    entries = await _entries(cluster, wanted)
    if not any(entries.values()):
        return
    await _read(cluster, wanted)
    told = False
    for name in wanted.nodes:
        await cluster.journal(name).put({PENDING: "communication paths"})
        told |= await _take_back(cluster, wanted, name, keep=False)
    await _sync(cluster, entries, told=told)
    await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))
