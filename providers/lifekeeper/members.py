"""What the resources of a hierarchy have in common: on both nodes, with priority and switchback, tied to what is below.

Resources, dependencies and paths that this site does not name are never looked at twice, changed or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import Field

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.lifekeeper import speaking, steps, views
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step, Views
from providers.lifekeeper.views import IN_SERVICE, Instance, View

Route = Literal["documented", "lkcli"]
MADE, PENDING = "made", "pending"
KIT, EQUIVALENCY = "kit", "equivalency"
FOUND_ONLY = (KIT, EQUIVALENCY)
"""Properties of `NodeMember` that are never declared, and shown where they are not as they have to be."""
_TIED = "depends on "
_TEMPLATE = 1
"""The priority that an extension gives the resource where it comes from, by default (SIOS's manuals)."""


class NodeMember(State):
    """A resource as it is on one node. ``properties`` are the kit's own, as the instance's id and info show them."""

    priority: str | None = None
    switchback: str | None = None
    depends_on: list[str] = Field(default_factory=list[str])
    properties: dict[str, str] = Field(default_factory=dict[str, str])


class Member(State):
    """``tag`` on the nodes by name, the most preferred first. ``beside``: tags of the same service, which tell where it
    runs; ``route``: see `declaration.engines.lifekeeper`."""

    tag: str
    nodes: dict[str, NodeMember | None]
    beside: list[str] = Field(default_factory=list[str])
    route: Route = "documented"


M = TypeVar("M", bound=Member)


@dataclass(frozen=True)
class Kit:
    """What one kit adds. ``kind`` as in the grammar's ``resources``; ``create`` and ``extend`` make steps;
    ``properties`` reads an instance: a value of None is not shown and taken for what is wanted. ``along``: property →
    tag of a resource that is made along with this one; shown while that is missing on a node."""

    create: Callable[[Member, str], list[Step]]
    extend: Callable[[Member, str, str], list[Step]]
    properties: Callable[[Member, str, Instance], Mapping[str, str | None]]
    app: str
    type: str
    along: Mapping[str, Callable[[Member], str]] = field(default_factory=dict[str, "Callable[[Member], str]"])


# Reading


async def read(cluster: Cluster, wanted: Member) -> dict[str, View]:
    """The nodes' views. Raises `Unknown` where LifeKeeper is installed and does not run."""
    seen = await views.read(cluster, list(wanted.nodes))
    for name, view in seen.items():
        if view.installed and not view.running:
            raise Unknown(
                f"LifeKeeper does not run, so it cannot tell about {wanted.tag}",
                node=name,
                remedy="start it: `lkcli start`",
            )
    return seen


async def observe(cluster: Cluster, wanted: M, kit: Kit) -> Observed[M]:
    """The resource on each node. Absent if it is on none."""
    seen = await read(cluster, wanted)
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
    shown = {KIT: f"{instance.app}/{instance.type}"} if (instance.app, instance.type) != (kit.app, kit.type) else {}
    # Shown where it is missing: that the other node lacks the resource, or its own half, is shown there.
    lone = [other for other in seen if other != name and _unknown(wanted.tag, other, view, seen[other])]
    if lone:
        shown[EQUIVALENCY] = f"none with {', '.join(lone)}"
    shown |= {key: "none" for key, tag_of in kit.along.items() if tag_of(wanted) not in view.instances}
    read_off = {
        key: declared.properties.get(key, "") if value is None else value
        for key, value in kit.properties(wanted, name, instance).items()
    }
    return NodeMember(
        # A resource that is on one node only has no priority to show.
        priority=view.priorities.get(wanted.tag, declared.priority),
        switchback=instance.switchback or declared.switchback,
        depends_on=[child for child in declared.depends_on if (wanted.tag, child) in view.dependencies],
        properties={**read_off, **shown},
    )


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


def way(wanted: Member, source: str, kit: Kit) -> list[Step]:
    """All steps from nothing, with what repairs a half-made or changed resource."""
    made = [*kit.create(wanted, source), _in_service(wanted, source)]
    for target in wanted.nodes:
        if target != source:
            made += _forgotten(wanted, source, target)
            made += equal(wanted, wanted.tag, source, target)
            made += kit.extend(wanted, source, target)
    made += _room(wanted)
    for name, node in wanted.nodes.items():
        if node is not None:
            made += _attributes(wanted.tag, name, node)
    return [*made, *_ties(wanted, source)]


def lines(wanted: Member, kit: Kit) -> list[Line]:
    """What would be said on fresh nodes, in order."""
    return steps.fresh(way(wanted, next(iter(wanted.nodes)), kit))


def there(tag: str, *names: str) -> steps.Done:
    """The resource is on these nodes."""
    return lambda seen: all(tag in seen[name].instances for name in names)


def extended(tag: str, source: str, target: str) -> steps.Done:
    """The resource is on both nodes and each knows the other's as its equivalent, which an extension does last.

    Without that an instance on the standby is what a cut-off extension left: no failover would reach it.
    """
    both = there(tag, source, target)
    known = ((source, target), (target, source))
    return lambda seen: both(seen) and all((tag, other, tag) in seen[name].equivalents for name, other in known)


def _in_service(wanted: Member, source: str) -> Step:
    """A resource whose making was cut off may be left out of service; one that is on both nodes is an operator's."""
    line = Line(source, "perform_action", f"Put {wanted.tag} in service", {"tag": wanted.tag, "action": "restore"})

    def done(seen: Views) -> bool:
        view = seen[source]
        whole = all(wanted.tag in each.instances for each in seen.values())
        return whole or wanted.tag not in view.instances or view.state(wanted.tag) in IN_SERVICE

    return Step(line, done, fresh=False)


def target_priority(wanted: Member, target: str) -> int | None:
    """What an extension says for the node it leads to; the wanted one follows (`hry_setpri`) where it is not free."""
    node = wanted.nodes[target]
    if node is None or not node.priority:
        return None
    return _spare(wanted)[0] if int(node.priority) == _TEMPLATE else int(node.priority)


def _spare(wanted: Member) -> list[int]:
    """Priorities for a moment, while a resource waits for the one that its equivalent has still: they always differ."""
    taken = {node.priority for node in wanted.nodes.values() if node}
    return [each for each in range(999, 990, -1) if str(each) not in taken]


def _forgotten(wanted: Member, source: str, target: str) -> list[Step]:
    """A node that was set up anew has lost what this one takes for extended: that is forgotten here first.

    For all of the service at once: an extension brings along what is tied to the resource, and fails on the rest.
    """
    made: list[Step] = []
    for tag in dict.fromkeys((wanted.tag, *wanted.beside)):
        values = {"tag": tag, "system": target, "other_tag": tag, "equivalency": "SHARED"}
        line = Line(source, "eqv_remove", f"Forget that {tag} was extended to {target}, which has lost it", values)
        known = (tag, target, tag)

        def done(seen: Views, tag: str = tag, known: tuple[str, str, str] = known) -> bool:
            return known not in seen[source].equivalents or tag in seen[target].instances

        made.append(Step(line, done, fresh=False))
    return made


def _room(wanted: Member) -> list[Step]:
    """Two nodes never have the same priority: the second one leaves that which the first is to get."""
    names = [name for name, node in wanted.nodes.items() if node is not None and node.priority]
    if len(names) < len(wanted.nodes) or len(names) == 1:
        return []
    first, second = names
    tag, node = wanted.tag, wanted.nodes[first]
    value = node.priority if node else None

    def done(seen: Views) -> bool:
        here, there_ = (seen[name].priorities.get(tag, "") for name in (first, second))
        return value in (here, None) or there_ != value

    values = {"tags": tag, "priority": _spare(wanted)[1]}
    return [Step(Line(second, "hry_setpri", f"Priority of {tag}: room for {first}'s", values), done, fresh=False)]


def equal(wanted: Member, tag: str, source: str, target: str) -> list[Step]:
    """Where one node knows the other's ``tag`` as its equivalent and is not known itself, the missing half.

    ``tag`` is the resource's own, or of what was extended along with it and has its priorities.
    """
    made: list[Step] = []
    for name, other in ((source, target), (target, source)):
        here, there_ = wanted.nodes[name], wanted.nodes[other]
        values = {
            "tag": tag,
            "system": other,
            "other_tag": tag,
            "equivalency": "SHARED",
            "priority": int(here.priority) if here and here.priority else None,
            "other_priority": int(there_.priority) if there_ and there_.priority else None,
        }
        line = Line(name, "eqv_create", f"Complete the equivalency of {tag} with {other}", values)
        made.append(Step(line, _nothing_missing(tag, name, other), fresh=False))
    return made


def _nothing_missing(tag: str, name: str, other: str) -> steps.Done:
    half, known = (tag, name, tag), (tag, other, tag)
    both = there(tag, name, other)
    return lambda seen: not both(seen) or known in seen[name].equivalents or half not in seen[other].equivalents


def _attributes(tag: str, name: str, node: NodeMember) -> list[Step]:
    made: list[Step] = []
    if node.switchback:
        wanted = node.switchback
        values = {"tag": tag, "switchback": wanted.upper()}
        line = Line(name, "ins_setas", f"Switchback type of {tag}: {wanted}", values)
        made.append(Step(line, lambda seen: _instance(seen, name, tag).switchback in ("", wanted), fresh=False))
    if node.priority:
        priority = node.priority
        line = Line(name, "hry_setpri", f"Priority of {tag}: {priority}", {"tags": tag, "priority": int(priority)})
        made.append(Step(line, lambda seen: seen[name].priorities.get(tag, priority) == priority, fresh=False))
    return made


def _instance(seen: Views, name: str, tag: str) -> Instance:
    return seen[name].instances.get(tag) or Instance("", "", tag, "", "", "")


def _ties(wanted: Member, source: str) -> list[Step]:
    made: list[Step] = []
    for name, node in wanted.nodes.items():
        for child in node.depends_on if node else ():
            page = f"Create Dependency: {wanted.tag} depends on {child}"
            pair = (wanted.tag, child)
            if wanted.route == "lkcli" and name != source:
                continue
            command = "lkcli dependency create" if wanted.route == "lkcli" else "dep_create"
            nodes = tuple(wanted.nodes) if wanted.route == "lkcli" else (name,)
            line = Line(name, command, page, {"parent": wanted.tag, "child": child})
            made.append(Step(line, _tied(pair, nodes)))
    return made


def _tied(pair: tuple[str, str], nodes: Sequence[str]) -> steps.Done:
    return lambda seen: all(pair in seen[name].dependencies for name in nodes)


async def converge(cluster: Cluster, wanted: Member, kit: Kit, *, source: str = "") -> None:
    """Take the steps that are left; take back ties of ours that are no longer wanted.

    Raises `Refused` for a resource of that name that is something else, or differs in what no command changes.
    """
    seen = await read(cluster, wanted)
    for name, view in seen.items():
        if not view.installed:
            raise Refused(
                "LifeKeeper is not installed", node=name, remedy="see `lifekeeper.media` in docs/lifekeeper.md"
            )
    _refuse_different(wanted, seen, kit)
    await _begin(cluster, wanted, seen)
    await steps.walk(cluster, way(wanted, source_of(wanted, seen, source), kit), list(wanted.nodes))
    await untie(cluster, wanted)
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING]), list(wanted.nodes))


def _refuse_different(wanted: Member, seen: Views, kit: Kit) -> None:
    for name, view in seen.items():
        instance, declared = view.instances.get(wanted.tag), wanted.nodes[name]
        if instance is None or declared is None:
            continue
        if (instance.app, instance.type) != (kit.app, kit.type):
            raise Refused(
                f"the resource {wanted.tag} is {instance.app}/{instance.type} there, not {kit.app}/{kit.type}",
                node=name,
                remedy="give this site's resource another tag (`lifekeeper.tags`)",
            )
        for key, value in kit.properties(wanted, name, instance).items():
            expected = declared.properties.get(key)
            if value is not None and value != expected:
                raise Refused(
                    f"{wanted.tag} has {key} {value}, and {expected} is declared; no documented command changes that",
                    node=name,
                    remedy=f"change it in LifeKeeper's own interface, or declare {value}",
                )


async def _begin(cluster: Cluster, wanted: Member, seen: Views) -> None:
    """Write down first what was there: only what this site makes is ever deleted."""
    found = any(wanted.tag in view.instances for view in seen.values())
    for name in wanted.nodes:
        journal = cluster.journal(name)
        ours = {f"{_TIED}{child}": "made" for child in _missing_ties(wanted, name, seen)}
        await journal.record({MADE: "no" if found else "yes", **ours})
        await journal.put({PENDING: wanted.tag})


def _missing_ties(wanted: Member, name: str, seen: Views) -> list[str]:
    node = wanted.nodes[name]
    return [child for child in (node.depends_on if node else ()) if (wanted.tag, child) not in seen[name].dependencies]


async def untie(cluster: Cluster, wanted: Member, *, all_of_them: bool = False) -> None:
    """Dependencies that this site made and no longer wants."""
    seen = await views.read(cluster, list(wanted.nodes))
    for name, node in wanted.nodes.items():
        journal = cluster.journal(name)
        entries = await journal.entries()
        ours = [entry.removeprefix(_TIED) for entry in entries if entry.startswith(_TIED)]
        kept = node.depends_on if node and not all_of_them else []
        for child in [each for each in ours if each not in kept]:
            if (wanted.tag, child) in seen[name].dependencies:
                values = {"parent": wanted.tag, "child": child}
                line = Line(name, "dep_remove", f"Delete Dependency: {wanted.tag} on {child}", values)
                await speaking.say(cluster, line)
            await journal.drop([_TIED + child])
