"""Resources of a hierarchy on the nodes: read, made or repaired, and untied.

Resources, dependencies and paths that this site does not name are never looked at twice, changed or deleted.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, Unknown, refuse_all
from providers.contract import PENDING, Absent, Observed, Present
from providers.lifekeeper import making, speaking, steps, views
from providers.lifekeeper.resource import (
    EQUIVALENCY,
    INITIALIZE,
    KIT,
    LEFT_OUT_AT_START,
    PEER_PRIORITY,
    Kit,
    Member,
    NodeMember,
)
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Views
from providers.lifekeeper.views import IN_SERVICE, View

MADE = "made"
_TIED = "depends on "

M = TypeVar("M", bound=Member)


# Reading


async def read(cluster: Cluster, wanted: Member) -> dict[str, View]:
    """The nodes' views. Raises `Unknown` where LifeKeeper is installed and does not run."""
    return await views.telling(cluster, list(wanted.nodes), wanted.tag)


async def observe(cluster: Cluster, wanted: M, kit: Kit) -> Observed[M]:
    """The resource on each node. Absent if it is on none."""
    return found(wanted, await read(cluster, wanted), kit)


def found(wanted: M, seen: Views, kit: Kit) -> Observed[M]:
    """The same out of one reading."""
    if all(wanted.tag not in view.instances for view in seen.values()):
        return Absent()
    nodes = {name: _live(wanted, name, seen, kit) for name in seen}
    states = {name: view.state(wanted.tag) for name, view in seen.items()}
    return Present(wanted.model_copy(update={"nodes": nodes}), {"states": states})


def _live(wanted: Member, name: str, seen: Views, kit: Kit) -> NodeMember | None:
    view = seen[name]
    instance = view.instances.get(wanted.tag)
    if instance is None:
        return None
    declared = wanted.nodes[name] or NodeMember()
    read_off = {
        key: declared.properties.get(key, "") if value is None else value
        for key, value in kit.properties(wanted, name, instance).items()
    }
    return NodeMember(
        # A resource that is on one node only has no priority to show.
        priority=view.priorities.get(wanted.tag, declared.priority),
        switchback=instance.switchback or declared.switchback,
        depends_on=[child for child in declared.depends_on if (wanted.tag, child) in view.dependencies],
        properties={**read_off, **_undeclared(wanted, name, seen, kit)},
    )


def _undeclared(wanted: Member, name: str, seen: Views, kit: Kit) -> dict[str, str]:
    """What is never declared, where it is not as it has to be (`resource.FOUND_ONLY`, and the kit's own)."""
    tag, view = wanted.tag, seen[name]
    instance, shown = view.instances[tag], dict[str, str]()
    if (instance.app, instance.type) != (kit.app, kit.type):
        shown[KIT] = f"{instance.app}/{instance.type}"
    # Shown where it is missing: that the other node lacks the resource, or its own half, is shown there.
    if lone := [other for other in seen if other != name and _unknown(tag, other, view, seen[other])]:
        shown[EQUIVALENCY] = f"none with {', '.join(lone)}"
    if view.initial.get(tag) == LEFT_OUT_AT_START:
        shown[INITIALIZE] = LEFT_OUT_AT_START
    if told := list(_mistaken(wanted, name, seen)):
        shown[PEER_PRIORITY] = ", ".join(told)
    shown |= {key: "none" for key, tag_of in kit.along.items() if tag_of(wanted) not in view.instances}
    return shown | {key: each.found for key, look in kit.by_hand.items() if (each := look(wanted, view)) is not None}


def _mistaken(wanted: Member, name: str, seen: Views) -> Iterator[str]:
    """The priorities of other nodes that this one has neither as they have them nor as they are declared.

    One that has its own declared priority no more is shown itself, and not what this one still has of it.
    """
    for other, there_ in seen.items():
        told, node = seen[name].peer_priorities.get((wanted.tag, other, wanted.tag)), wanted.nodes[other]
        right = {there_.priorities.get(wanted.tag), node.priority if node else None} - {None}
        if told and right and told not in right and wanted.tag in there_.instances:
            yield f"{told} for {other}"


def _unknown(tag: str, other: str, view: View, there_: View) -> bool:
    return tag in there_.instances and (tag, other, tag) not in view.equivalents


def fixed(previous: Member, wanted: Member, **settings: str) -> str | None:
    """Why a kind does not change in place (`providers.contract`): its tag, or one of ``settings``, field → its setting.

    LifeKeeper has no documented command for any of them, and a new tag would make a second resource beside the first.
    """
    for name, setting in {**settings, "tag": "the tag"}.items():
        before, after = getattr(previous, name), getattr(wanted, name)
        if before != after:
            return (
                f"{setting} of {previous.tag} does not change in place from {before} to {after}. Take the resource "
                "away first, with the service down meanwhile, and make it anew: `pulumi destroy --target` of this "
                "thing and of those above it, then `pulumi up`; a mirror's data is kept and taken over"
            )
    return None


def source_of(wanted: Member, seen: Views, otherwise: str = "") -> str:
    """Where the service is, so that new members are made there; ``otherwise``, or the most preferred node, if nowhere.

    Raises `Unknown` while parts of it are in service on different nodes.
    """
    tags = [wanted.tag, *wanted.beside]
    active = [name for name, view in seen.items() if any(view.state(tag) in IN_SERVICE for tag in tags)]
    if len(active) > 1:
        raise Unknown(
            f"parts of the service are in service on {' and '.join(active)}",
            remedy="see `lcdstatus` on both: wait until it has settled, or take one of them out of service",
        )
    having = [name for name, view in seen.items() if wanted.tag in view.instances]
    return next(each for each in [*active, *having, otherwise, *wanted.nodes] if each)


# Making


async def converge(cluster: Cluster, wanted: Member, kit: Kit, *, source: str = "") -> None:
    """Take the steps that are left; take back ties of ours that are no longer wanted.

    Raises `Refused` for a resource of that name that is something else, or differs in what no command changes.
    """
    seen = await read(cluster, wanted)
    refuse_unlike(wanted, seen, kit)
    cut_off = await _begin(cluster, wanted, seen)
    told = await steps.walk(cluster, making.way(wanted, source_of(wanted, seen, source), kit), list(wanted.nodes))
    unwanted = await _unwanted(cluster, wanted)
    if any(unwanted.values()):
        await speaking.check_site(cluster)
    untied = await untie(cluster, wanted, unwanted)
    if told or untied or cut_off:
        await speaking.sync(cluster, wanted.nodes)
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING]), list(wanted.nodes))
    if await steps.walk(cluster, making.agreement(wanted), list(wanted.nodes)):
        await speaking.sync(cluster, wanted.nodes)


def refuse_unlike(wanted: Member, seen: Views, kit: Kit) -> None:
    """Raises `Refused` as `converge` does, before it writes anything."""
    missing = [name for name, view in seen.items() if not view.installed]
    remedy = "see `lifekeeper.media` in docs/lifekeeper.md"
    refuse_all([Refused("LifeKeeper is not installed", node=name, remedy=remedy) for name in missing])
    refuse_all([*_different(wanted, seen, kit), *_circular(wanted, seen)])


async def refuse_left(cluster: Cluster, wanted: Member, kit: Kit) -> None:
    """Raises `Refused` for what is to be put right by hand (`Kit.by_hand`), once all else is done."""
    refuse_all(list(_left_by_hand(wanted, await read(cluster, wanted), kit)))


def _different(wanted: Member, seen: Views, kit: Kit) -> Iterator[Refused]:
    for name, view in seen.items():
        instance, declared = view.instances.get(wanted.tag), wanted.nodes[name]
        if instance is None or declared is None:
            continue
        if (instance.app, instance.type) != (kit.app, kit.type):
            yield Refused(
                f"the resource {wanted.tag} is {instance.app}/{instance.type} there, not {kit.app}/{kit.type}",
                node=name,
                remedy="give this site's resource another tag (`lifekeeper.tags`)",
            )
            continue
        for key, value in kit.properties(wanted, name, instance).items():
            expected = declared.properties.get(key)
            if value is not None and value != expected:
                yield Refused(
                    f"{wanted.tag} has {key} {value}, and {expected} is declared; no documented command changes that",
                    node=name,
                    remedy=f"change it in LifeKeeper's own interface, or declare {value}",
                )


def _circular(wanted: Member, seen: Views) -> Iterator[Refused]:
    """Dependencies that would close a circle: what LifeKeeper makes of one nobody has published."""
    for name, view in seen.items():
        for child in _missing_ties(wanted, name, seen):
            if chain := _chain(view.dependencies, child, wanted.tag):
                ties = ", ".join(f"`dep_remove -p {parent} -c {below}`" for parent, below in itertools.pairwise(chain))
                yield Refused(
                    f"{wanted.tag} shall depend on {child}, and there the dependencies go the other way: "
                    f"{' → '.join(chain)}",
                    node=name,
                    remedy=f"delete one of these first, on each node that has it: {ties}; or keep that hierarchy, and "
                    "give this site's resources other tags (`lifekeeper.tags`)",
                )


def _chain(dependencies: Collection[tuple[str, str]], top: str, bottom: str) -> list[str]:
    """The resources from ``top`` down to ``bottom``, each with the next below it; empty where there is no such way."""
    ways, reached = [[top]], {top}
    for way in ways:
        if way[-1] == bottom:
            return way
        for parent, child in sorted(dependencies):
            if parent == way[-1] and child not in reached:
                reached.add(child)
                ways.append([*way, child])
    return []


def _left_by_hand(wanted: Member, seen: Views, kit: Kit) -> Iterator[Refused]:
    """What nobody knows a command for. It holds up no other repair."""
    for name, view in seen.items():
        if wanted.tag not in view.instances or wanted.nodes[name] is None:
            continue
        for key, look in kit.by_hand.items():
            if (unlike := look(wanted, view)) is not None:
                yield Refused(
                    f"{wanted.tag} has {key} {unlike.found}, and {unlike.wanted} is declared; no documented command "
                    "changes that",
                    node=name,
                    remedy=unlike.remedy,
                )


async def _begin(cluster: Cluster, wanted: Member, seen: Views) -> bool:
    """Write down first what was there: only what this site makes is ever deleted. Whether a run before was cut off."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    for name, told in entries.items():
        # Of a run that did not get to its end under another tag: what it was about to make is not this one.
        if told.get(PENDING, wanted.tag) != wanted.tag:
            await cluster.journal(name).drop([MADE, *(entry for entry in told if entry.startswith(_TIED))])
            entries[name] = {PENDING: wanted.tag}
    # A node that was replaced has a new journal, and the other one knows whose the resource is.
    known = {told[MADE] for told in entries.values() if MADE in told}
    there = "yes" not in known and any(wanted.tag in view.instances for view in seen.values())
    for name in wanted.nodes:
        journal = cluster.journal(name)
        ours = {f"{_TIED}{child}": "made" for child in _missing_ties(wanted, name, seen)}
        await journal.record({MADE: "no" if there else "yes", **ours})
        await journal.put({PENDING: wanted.tag})
    return any(PENDING in told for told in entries.values())


def _missing_ties(wanted: Member, name: str, seen: Views) -> list[str]:
    node = wanted.nodes[name]
    return [child for child in (node.depends_on if node else ()) if (wanted.tag, child) not in seen[name].dependencies]


def ties(entries: Mapping[str, str]) -> list[str]:
    """What this site tied the resource to on a node, from that node's journal."""
    return [entry.removeprefix(_TIED) for entry in entries if entry.startswith(_TIED)]


async def _unwanted(cluster: Cluster, wanted: Member) -> dict[str, list[str]]:
    """Node → ties that this site made and no longer wants."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    kept = {name: node.depends_on if node else [] for name, node in wanted.nodes.items()}
    return {name: [child for child in ties(known) if child not in kept[name]] for name, known in entries.items()}


async def untie(cluster: Cluster, wanted: Member, children: Mapping[str, Collection[str]]) -> bool:
    """Delete the resource's dependencies on ``children``, by node. Returns whether there were any."""
    seen, told = await read(cluster, wanted), False
    for name, those in children.items():
        journal = cluster.journal(name)
        for child in those:
            if (wanted.tag, child) in seen[name].dependencies:
                values = {"parent": wanted.tag, "child": child}
                line = Line(name, "dep_remove", f"Delete Dependency: {wanted.tag} on {child}", values)
                await speaking.say(cluster, line)
                told = True
            await journal.drop([_TIED + child])
    return told
