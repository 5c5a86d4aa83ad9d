"""What runs where, and moving it on purpose: the runtime role of this engine.

The service is the hierarchy of the Quick Service Protection resource for Squid; other hierarchies are never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import HostError, NotVerified, Refused, Unknown, Unreachable
from providers.host.waiting import reporting, until
from providers.lifekeeper import mirror_view, speaking, views
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import ALIVE, IN_SERVICE, Instance, View
from providers.roles import MirrorView, Notice, SplitBrain

MOVE_LIMIT = 600.0
_ROLES = {"ISP": "Started", "ISU": "Degraded", "OSU": "Stopped", "OSF": "Failed", "ILLSTATE": "Starting"}
_CUSTOMARY = "qsp-squid"
_WORD = re.compile(r"(?<![a-z])squid(?![a-z])", re.IGNORECASE)
_MDSTAT = 'cat /proc/mdstat; echo; findmnt -rno SOURCE --mountpoint "$1"'


@dataclass(frozen=True)
class Tree:
    """The service's members, bottom up, each with its state per node; ``active`` is the node that runs the service."""

    states: Mapping[str, Mapping[str, str]]
    active: str | None


class Stopped(Unknown):
    """LifeKeeper is stopped on every node; what it protects may run on, as in maintenance mode."""


async def _read(cluster: Cluster) -> dict[str, View]:
    """The nodes that can tell. Raises `Unknown` where none can, `Stopped` where that is why."""

    async def look(node: Node) -> View | None:
        try:
            return (await views.read(cluster, [node.name]))[node.name]
        except HostError:
            return None

    told = await cluster.each(look)
    seen = {name: view for name, view in told.items() if view is not None and view.running}
    if not seen and all(view is not None and view.installed for view in told.values()):
        raise Stopped(
            "LifeKeeper is stopped on all nodes, as in maintenance mode: nothing is started, stopped or moved",
            remedy="`squid-ha maintenance off` starts it",
        )
    if not seen:
        raise Unknown("LifeKeeper answers on no node", remedy="see `lkcli start` and /var/log/lifekeeper.log")
    return seen


def service(seen: Mapping[str, View]) -> list[str]:
    """Tags of the service, bottom up: everything tied to Squid's resource, over or under it. Raises `Unknown`."""
    instances = _instances(seen)
    ties = {tie for view in seen.values() for tie in view.dependencies}
    family, before = {_squid(instances)}, 0
    while len(family) != before:
        before = len(family)
        family |= {tag for tie in ties if family & set(tie) for tag in tie if tag in instances}
    return sorted(family, key=lambda tag: (_depth(tag, ties), tag))


def _instances(seen: Mapping[str, View]) -> dict[str, Instance]:
    return {tag: instance for view in seen.values() for tag, instance in view.instances.items()}


def squid(seen: Mapping[str, View]) -> str:
    """The tag of Squid's resource. Raises `Unknown`."""
    return _squid(_instances(seen))


def _squid(instances: Mapping[str, Instance]) -> str:
    """The tag of Squid's resource; somebody else's (of `squidguard`, say) is never taken for it. Raises `Unknown`."""
    found = [each.tag for each in instances.values() if _is_squid(each)]
    if _CUSTOMARY in found:
        return _CUSTOMARY
    if not found:
        raise Unknown(
            "LifeKeeper has no Quick Service Protection resource for Squid: none has the word in its tag, id or info",
            remedy="run `pulumi up`",
        )
    if len(found) > 1:
        raise Unknown(
            f"LifeKeeper has more than one resource that may be Squid's: {', '.join(sorted(found))}",
            remedy="see `lcdstatus`; take the word out of the tag of the one that is another service's",
        )
    return found[0]


def _is_squid(instance: Instance) -> bool:
    told = f"{instance.tag} {instance.id} {instance.info}"
    return (instance.app, instance.type) == ("gen", "qsp") and _WORD.search(told) is not None


def _depth(tag: str, ties: set[tuple[str, str]], seen: frozenset[str] = frozenset()) -> int:
    below = [child for parent, child in ties if parent == tag and child not in seen]
    return 1 + max((_depth(child, ties, seen | {tag}) for child in below), default=0)


async def tree(cluster: Cluster) -> Tree:
    """The service out of one reading. Raises `Unknown` where no node can tell."""
    seen = await _read(cluster)
    states = {tag: {name: _role(seen.get(name), tag) for name in cluster.nodes} for tag in service(seen)}
    active = _active(seen)
    return Tree(states, active[0] if len(active) == 1 else None)


def _role(view: View | None, tag: str) -> str:
    return "Unknown" if view is None else _ROLES.get(view.state(tag), "-")


def _active(seen: Mapping[str, View]) -> list[str]:
    tags = service(seen)
    return sorted(name for name, view in seen.items() if any(view.state(tag) in IN_SERVICE for tag in tags))


async def active_node(cluster: Cluster) -> str | None:
    """The node that runs the service; None if it runs nowhere.

    Raises `Unknown` while it is spread over nodes, `Refused` where LifeKeeper is stopped on all, so that none can tell.
    """
    try:
        nodes = _active(await _read(cluster))
    except Stopped as stopped:
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

    _, held = await until(lambda: _read(cluster), lambda seen: not still(seen), limit)
    return held


# Switchover


async def switchover(cluster: Cluster, to: str) -> None:
    """Put the service in service on ``to``, which LifeKeeper takes out on the other node first, and wait for it.

    Raises `Refused` where the target cannot take over or the mirror is not in sync.
    """
    seen = await _read(cluster)
    tags = service(seen)
    if _arrived(seen, tags, to):
        return
    _refuse_unfit(cluster, seen, tags, to)
    await _refuse_stale_mirror(cluster)
    cluster.progress(f"Moving {', '.join(tags)} to {to}")
    for root in _roots(seen, tags):
        putting = Line(to, "perform_action", f"Put {root} in service", {"tag": root, "action": "restore"})
        await reporting(
            speaking.say(cluster, putting),
            lambda seconds: cluster.progress(f"Waiting for the service on {to} ({seconds:.0f} s)"),
        )
    now, arrived = await until(lambda: _read(cluster), lambda told: _arrived(told, tags, to), MOVE_LIMIT)
    if not arrived:
        states = ", ".join(f"{tag} is {_role(now.get(to), tag)}" for tag in tags)
        raise NotVerified(
            f"the service did not come to {to}: {states}", node=to, remedy="see /var/log/lifekeeper.log on both nodes"
        )


def _roots(seen: Mapping[str, View], tags: Sequence[str]) -> list[str]:
    children = {child for view in seen.values() for _, child in view.dependencies}
    return [tag for tag in tags if tag not in children]


def _arrived(seen: Mapping[str, View], tags: Sequence[str], to: str) -> bool:
    return to in seen and all((view.state(tag) == "ISP") == (name == to) for name, view in seen.items() for tag in tags)


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
            remedy="see the communication paths in `lcdstatus`",
        )


async def _refuse_stale_mirror(cluster: Cluster) -> None:
    for name, view in (await mirror(cluster)).items():
        if view.role == "source" and not view.whole:
            percent = "" if view.percent is None else f", {view.percent:.0f} %"
            raise Refused(
                f"the mirror is not the same on both nodes: {view.connection}{percent}",
                node=name,
                remedy="wait for the resynchronisation before moving the service",
            )


# The mirror


async def mirror(cluster: Cluster) -> Mapping[str, MirrorView]:
    """Each node's view of it: DataKeeper's mirror is an md device of two halves (its manuals), read where it is."""

    async def look(node: Node) -> MirrorView:
        try:
            view = (await views.read(cluster, [node.name]))[node.name]
            return await _half(node, view)
        except HostError as error:
            return MirrorView(trouble=str(error).splitlines()[0])

    return mirror_view.seen_from_both(await cluster.each(look))


async def _half(node: Node, view: View) -> MirrorView:
    if not view.running:
        return MirrorView(trouble=f"{node.name}: LifeKeeper does not run")
    members = [view.instances[tag] for tag in service({node.name: view}) if tag in view.instances]
    mount = next((each.id for each in members if each.type == "filesys"), "")
    state = next((each.state for each in members if each.type == "netraid"), "")
    if not state:
        return MirrorView()
    if state not in IN_SERVICE:
        # Only the source knows how far its target is.
        return MirrorView("target", connection=state, data="Target", peer_data="-")
    answer = await node.run(script(_MDSTAT, mount, ok=None, reads=True, label="read the mirror's state"))
    return mirror_view.parse_mdstat(answer.stdout)


# Nodes aside, maintenance


async def aside(cluster: Cluster, node: str) -> None:
    """Move the service away and stop LifeKeeper there. A boot of that node starts it again."""
    seen = await _read(cluster)
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
    if _active({node: seen[node]}):
        if other is None:
            raise Refused("the service runs here, and there is no other node to move it to", node=node)
        await switchover(cluster, other)
    await speaking.say(cluster, Line(node, "lkcli stop", "Stop LifeKeeper"))
    cluster.progress(f"{node}: LifeKeeper is stopped; a boot of this node starts it again")


async def back(cluster: Cluster, node: str) -> None:
    """Start LifeKeeper there; with switchback intelligent the service stays where it is."""
    await _start(cluster, node)


async def maintenance(cluster: Cluster, on: bool) -> None:
    """Stop LifeKeeper everywhere and leave what it protects running (``lkstop -f``); or start it again."""
    for name in cluster.nodes:
        running = (await views.read(cluster, [name]))[name].running
        if on and running:
            line = Line(name, "lkstop", "Stop LifeKeeper, leaving the service running", {"running": True})
            await speaking.say_plainly(cluster, line)
        elif not on:
            await _start(cluster, name)


async def _start(cluster: Cluster, name: str) -> None:
    if not (await views.read(cluster, [name]))[name].running:
        await speaking.say_plainly(cluster, Line(name, "lkcli start", "Start LifeKeeper"))
    _, up = await until(
        lambda: views.read(cluster, [name]),
        lambda seen: seen[name].running and not any(i.state == "ILLSTATE" for i in seen[name].instances.values()),
        MOVE_LIMIT,
    )
    if not up:
        raise NotVerified("LifeKeeper did not come up", node=name, remedy="see /var/log/lifekeeper.log there")


# What LifeKeeper has no published command for


def _no(what: str, remedy: str) -> Refused:
    return Refused(
        f"with `engine: lifekeeper` this program cannot {what}: no command for it is published", remedy=remedy
    )


async def cleanup(cluster: Cluster) -> None:
    """A resource that failed (OSF) on the standby is taken out of service there, so that it is standby again (OSU).

    LifeKeeper keeps no other failures that bar a node; one of the active node is put in service by `switchover`.
    """
    seen = await _read(cluster)
    active = _active(seen)
    for name, view in seen.items():
        if not active or name in active:
            continue
        for tag in reversed(service(seen)):
            if view.state(tag) == "OSF":
                values = {"tag": tag, "action": "remove"}
                await speaking.say(cluster, Line(name, "perform_action", f"Take {tag} out of service", values))


async def start_alone(cluster: Cluster, node: str) -> None:
    """Put the service in service on ``node`` while the other one is off.

    Raises `Refused` where the other one can be seen.
    """
    seen = await _read(cluster)
    if node not in seen:
        raise Refused("LifeKeeper does not run on this node", node=node, remedy="`lkcli start` there")
    heard = [name for name in cluster.nodes if name != node and seen[node].machines.get(name) == ALIVE]
    if heard:
        raise Refused(f"{', '.join(heard)} is alive to LifeKeeper here", node=node, remedy="`squid-ha switchover`")
    for root in _roots({node: seen[node]}, service({node: seen[node]})):
        values = {"tag": root, "action": "restore"}
        await speaking.say(cluster, Line(node, "perform_action", f"Put {root} in service", values))


async def notices(cluster: Cluster) -> Sequence[Notice]:
    """Nodes on which LifeKeeper does not run; what else it notes is in its log."""
    seen = await _read(cluster)
    return [
        Notice("standby", f"LifeKeeper does not run on {name}, so the service cannot come there", name)
        for name in cluster.nodes
        if name not in seen
    ]


async def split_brain(cluster: Cluster) -> SplitBrain | None:
    """Refused where the mirror is in service on both nodes: how that is ended is not published. None otherwise."""
    seen = await _read(cluster)
    halves = [
        (name, view.instances[tag]) for tag in service(seen) for name, view in seen.items() if tag in view.instances
    ]
    sources = [name for name, each in halves if each.type == "netraid" and each.state in IN_SERVICE]
    if len(sources) > 1:
        raise _no(
            f"end a split brain (the mirror is in service on {' and '.join(sources)})",
            "`mirror_action TAG fullresync SOURCE TARGET` overwrites the target: see SIOS's manual first",
        )
    return None


async def save_logs(cluster: Cluster, node: str, source: str, to: str) -> None:
    """Copy the folder ``source`` below the mount point where it is mounted."""
    view = (await views.read(cluster, [node]))[node]
    mounts = [each.id for each in view.instances.values() if each.type == "filesys" and each.state in IN_SERVICE]
    if not mounts:
        raise _no("read a half of the mirror that is not in service", f"copy from the other node than {node}")
    await cluster.node(node).run(command("cp", "-a", f"{mounts[0]}/{source}", to))


async def resolve(cluster: Cluster, victim: str) -> None:
    """Refused, see `split_brain`."""
    del cluster
    raise _no(f"throw away what {victim} has", "`mirror_action TAG fullresync SOURCE TARGET`: see SIOS's manual first")
