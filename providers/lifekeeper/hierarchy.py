"""The service's hierarchy as LifeKeeper's lists show it: its members, where it runs, what is at its root.

It is the hierarchy of the resource for Squid, of Quick Service Protection or else a Generic Application; others are
never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from providers.connection.errors import Unknown
from providers.lifekeeper.views import IN_SERVICE, Instance, View

_ROLES = {"ISP": "Started", "ISU": "Degraded", "OSU": "Stopped", "OSF": "Failed", "ILLSTATE": "Starting"}
WORD = re.compile(r"(?<![a-z])squid(?![a-z])", re.IGNORECASE)
"""In the tag, id or info of what looks after Squid."""
_SERVICE = re.compile(r"(?<![A-Za-z0-9-])squid(?![A-Za-z0-9-])")


@dataclass(frozen=True)
class Tree:
    """The service's members, bottom up, each with its state per node; ``active`` is the node that runs the service."""

    states: Mapping[str, Mapping[str, str]]
    active: str | None


def tree_of(seen: Mapping[str, View], names: Sequence[str]) -> Tree:
    """The service on these nodes. Raises `Unknown` where there is no resource for Squid, or more than one."""
    states = {tag: {name: role(seen.get(name), tag) for name in names} for tag in service(seen)}
    here = active(seen)
    return Tree(states, here[0] if len(here) == 1 else None)


def service(seen: Mapping[str, View]) -> list[str]:
    """Tags of the service, bottom up: everything tied to Squid's resource, over or under it. Raises `Unknown`."""
    instances = _instances(seen)
    ties = _ties(seen)
    family = whole([tie for tie in ties if instances.keys() >= set(tie)], _squid(instances, ties))
    return sorted(family, key=lambda tag: (_depth(tag, ties), tag))


def whole(ties: Iterable[tuple[str, str]], tag: str) -> set[str]:
    """The resource and everything that these dependencies tie to it, over or under it."""
    pairs, family, before = [set(tie) for tie in ties], {tag}, 0
    while len(family) != before:
        before = len(family)
        family = family.union(*(pair for pair in pairs if family & pair))
    return family


def _instances(seen: Mapping[str, View]) -> dict[str, Instance]:
    return {tag: instance for view in seen.values() for tag, instance in view.instances.items()}


def squid(seen: Mapping[str, View]) -> str:
    """The tag of Squid's resource. Raises `Unknown`."""
    return _squid(_instances(seen), _ties(seen))


def _ties(seen: Mapping[str, View]) -> set[tuple[str, str]]:
    return {tie for view in seen.values() for tie in view.dependencies}


def _squid(instances: Mapping[str, Instance], ties: AbstractSet[tuple[str, str]]) -> str:
    """The tag of Squid's resource; somebody else's (of `squidguard`, say) is never taken for it. Raises `Unknown`.

    Of several, that of the service itself. No tag decides, the customary one no more than others: it may be
    somebody else's, and which one the site declares is not known here.
    """
    candidates = _candidates(instances, ties)
    found = [each.tag for each in candidates if _protects_squid(each)]
    if len(found) != 1:
        found = [each.tag for each in candidates]
    if not found:
        raise Unknown(
            "LifeKeeper has no resource for Squid: none of Quick Service Protection has the word in its tag, id or "
            "info, and no Generic Application in its tag",
            remedy="run `pulumi up`",
        )
    if len(found) > 1:
        raise Unknown(
            f"LifeKeeper has more than one resource that may be Squid's: {', '.join(sorted(found))}",
            remedy="see `lcdstatus`; take the word out of the tag of the one that is another service's",
        )
    return found[0]


def second(view: View, own: str, beside: Sequence[str]) -> Instance | None:
    """A resource other than ``own`` that looks after the Squid of the service with the members ``beside``, on a node.

    It names the service itself, or it has the word and is tied to one of these members.
    """
    tied = {tag for tie in view.dependencies if set(tie) & set(beside) for tag in tie}
    return next(
        (
            each
            for tag, each in view.instances.items()
            if tag not in (own, *beside) and _is_squid(each) and (_protects_squid(each) or tag in tied)
        ),
        None,
    )


def _candidates(instances: Mapping[str, Instance], ties: AbstractSet[tuple[str, str]]) -> list[Instance]:
    """Where both kits have one with the word, one of them is something beside Squid: that one is tied to no address.

    Of those tied to the same address it is the application.
    """
    addresses = {tag for tag, each in instances.items() if _kit(each) == _ADDRESS}
    # Over it, as this program has it, or under it.
    found = {
        each.tag: {other for tie in ties if each.tag in tie for other in tie if other in addresses}
        for each in instances.values()
        if _is_squid(each)
    }
    protected = set[str]().union(*(over for tag, over in found.items() if _kit(instances[tag]) == _QSP))
    if len({_kit(instances[tag]) for tag in found}) == 1:
        return [instances[tag] for tag in found]
    bearing = [
        instances[tag] for tag, over in found.items() if over and (_kit(instances[tag]) == _QSP or not over & protected)
    ]
    return bearing or [instances[tag] for tag in found]


_QSP, _APPLICATION, _ADDRESS = ("gen", "qsp"), ("gen", "app"), ("comm", "ip")


def _kit(instance: Instance) -> tuple[str, str]:
    return instance.app, instance.type


def _is_squid(instance: Instance) -> bool:
    """By its tag alone where it is a Generic Application, whose info is free text."""
    told = {_QSP: f"{instance.tag} {instance.id} {instance.info}", _APPLICATION: instance.tag}
    return WORD.search(told.get(_kit(instance), "")) is not None


def _protects_squid(instance: Instance) -> bool:
    """Whether id or info name just this service; where the kit stores it is unknown, and an id may repeat the tag."""
    told = f"{instance.id if instance.id != instance.tag else ''} {instance.info}"
    return _kit(instance) == _QSP and _SERVICE.search(told) is not None


def _depth(tag: str, ties: set[tuple[str, str]], seen: frozenset[str] = frozenset()) -> int:
    below = [child for parent, child in ties if parent == tag and child not in seen]
    return 1 + max((_depth(child, ties, seen | {tag}) for child in below), default=0)


def role(view: View | None, tag: str) -> str:
    """A member's state in the words of a status: "Started", "Stopped", ...; "Unknown" where the node cannot tell."""
    return "Unknown" if view is None else _ROLES.get(view.state(tag), "-")


def active(seen: Mapping[str, View]) -> list[str]:
    """Nodes on which parts of the service are in service; more than one while it moves."""
    tags = service(seen)
    return sorted(name for name, view in seen.items() if any(view.state(tag) in IN_SERVICE for tag in tags))


def roots(seen: Mapping[str, View], tags: Sequence[str]) -> list[str]:
    """The members that nothing depends on: putting them in service brings along the rest."""
    children = {child for view in seen.values() for _, child in view.dependencies}
    return [tag for tag in tags if tag not in children]


def partners(view: View, tags: Sequence[str]) -> set[str]:
    """The systems that any of these members is extended to, as this node tells.

    LifeKeeper may know more of them: a witness of its quorum, the nodes of another hierarchy.
    """
    return {system for tag, system, _ in view.equivalents if tag in tags}


def arrived(seen: Mapping[str, View], tags: Sequence[str], to: str) -> bool:
    """All of the service is in service on ``to``, and nothing of it elsewhere."""
    return to in seen and all((view.state(tag) == "ISP") == (name == to) for name, view in seen.items() for tag in tags)
