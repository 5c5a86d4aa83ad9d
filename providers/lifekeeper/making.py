"""The steps that make a resource on both nodes, with priority and switchback, tied to what is below; and repair it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from providers.lifekeeper import speaking, steps
from providers.lifekeeper.resource import IN_SERVICE_AT_START, LEFT_OUT_AT_START, Kit, Member, NodeMember
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step, Views
from providers.lifekeeper.views import Instance

_TEMPLATE = 1
"""The priority that an extension gives the resource where it comes from, by default (SIOS's manuals)."""


def way(wanted: Member, source: str, kit: Kit) -> list[Step]:
    """All steps from nothing, with what repairs a half-made or changed resource."""
    made = [*kit.create(wanted, source), _in_service(wanted, source)]
    for target in wanted.nodes:
        if target != source:
            made += _forgotten(wanted, source, target)
            made += equal(wanted, wanted.tag, source, target)
            made += kit.extend(wanted, source, target)
    made += _room(wanted)
    return [*made, *_attributes(wanted, source), *_ties(wanted, source)]


def lines(wanted: Member, kit: Kit) -> list[Line]:
    """What would be said on fresh nodes, in order."""
    return [*steps.fresh(way(wanted, next(iter(wanted.nodes)), kit)), *speaking.syncs(wanted.nodes)]


def lines_along(wanted: Member) -> list[Line]:
    """The same of a resource that is made, extended and tied along with another one."""
    said = steps.fresh(_attributes(wanted, next(iter(wanted.nodes))))
    return [*said, *speaking.syncs(wanted.nodes)] if said else []


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
    """A resource whose making was cut off may be left out of service; one that is on both nodes is an operator's.

    That it is on a node that is away, where nobody looks, the equivalency here tells.
    """
    line = Line(source, "perform_action", f"Put {wanted.tag} in service", {"tag": wanted.tag, "action": "restore"})

    def done(seen: Views) -> bool:
        view = seen[source]
        if len(seen) > 1:
            whole = all(wanted.tag in each.instances for each in seen.values())
        else:
            whole = any(tag == wanted.tag for tag, _, _ in view.equivalents)
        return whole or wanted.tag not in view.instances or view.state(wanted.tag) == steps.TEMPLATE

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
        page = f"Forget that {tag} was extended to {target}, which has lost it"
        line = Line(source, "eqv_remove", page, _equivalency(tag, target))
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
    return [_half(wanted, tag, name, other) for name, other in ((source, target), (target, source))]


def _half(wanted: Member, tag: str, name: str, other: str) -> Step:
    here, there_ = wanted.nodes[name], wanted.nodes[other]
    values = {
        **_equivalency(tag, other),
        "priority": int(here.priority) if here and here.priority else None,
        "other_priority": int(there_.priority) if there_ and there_.priority else None,
    }
    line = Line(name, "eqv_create", f"Complete the equivalency of {tag} with {other}", values)
    return Step(line, _nothing_missing(tag, name, other), fresh=False)


def _equivalency(tag: str, other: str) -> dict[str, str]:
    return {"tag": tag, "system": other, "other_tag": tag, "equivalency": "SHARED"}


def _nothing_missing(tag: str, name: str, other: str) -> steps.Done:
    half, known = (tag, name, tag), (tag, other, tag)
    both = there(tag, name, other)
    return lambda seen: not both(seen) or known in seen[name].equivalents or half not in seen[other].equivalents


def agreement(wanted: Member) -> list[Step]:
    """Where a node has another priority of the other one than is declared, that one's is said once more.

    Nothing else is tried: what becomes of a pair whose equivalency is taken back for a moment nobody has published.
    """
    tag, made = wanted.tag, list[Step]()
    for name, other in permutations(wanted.nodes, 2):
        node = wanted.nodes[other]
        if node is not None and node.priority:
            page = f"Priority of {tag}: {node.priority}, of which {name} has another one"
            line = Line(other, "hry_setpri", page, {"tags": tag, "priority": int(node.priority)})
            made.append(Step(line, _agreed(tag, name, other, node.priority), fresh=False))
    return made


def _agreed(tag: str, name: str, other: str, priority: str) -> steps.Done:
    whole, known = extended(tag, name, other), (tag, other, tag)
    return lambda seen: not whole(seen) or seen[name].peer_priorities.get(known, priority) == priority


def _attributes(wanted: Member, source: str) -> list[Step]:
    """An extension gives the target its own priority, and ``source`` always the same one."""
    made: list[Step] = []
    for name, node in wanted.nodes.items():
        if node is not None:
            another = name == source and len(wanted.nodes) > 1 and node.priority != str(_TEMPLATE)
            made += _attributes_on(wanted.tag, name, node, another=another)
    return made


def _attributes_on(tag: str, name: str, node: NodeMember, *, another: bool) -> list[Step]:
    """``another``: on the way from nothing the node has another priority first."""
    values = {"tag": tag, "initialize": IN_SERVICE_AT_START}
    line = Line(name, "ins_setinit", f"Initialization of {tag}: in service when LifeKeeper starts", values)
    made = [Step(line, lambda seen: seen[name].initial.get(tag) != LEFT_OUT_AT_START, fresh=False)]
    if node.switchback:
        wanted = node.switchback
        values = {"tag": tag, "switchback": wanted.upper()}
        line = Line(name, "ins_setas", f"Switchback type of {tag}: {wanted}", values)
        made.append(Step(line, lambda seen: _instance(seen, name, tag).switchback in ("", wanted), fresh=False))
    if node.priority:
        priority = node.priority
        line = Line(name, "hry_setpri", f"Priority of {tag}: {priority}", {"tags": tag, "priority": int(priority)})
        made.append(Step(line, lambda seen: seen[name].priorities.get(tag, priority) == priority, fresh=another))
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
