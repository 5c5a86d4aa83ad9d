"""The service in a reading of the cluster: its members, where they run, what everything else follows. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.pacemaker.cib import Cib
from providers.pacemaker.live import Live
from providers.pacemaker.model import Primitive

_CUSTOMARY = "squid"
_SQUID = re.compile(r":squid(@.*)?(\.service)?$", re.IGNORECASE)
"""The agent of a resource for Squid: ours, the resource agents' `ocf:heartbeat:Squid`, or `systemd:squid`."""


@dataclass(frozen=True)
class Tree:
    """The service's members, each with its state per node: ``Started``, ``Promoted``, ``Unpromoted``, ``Stopped``,
    ``Degraded`` (it runs, and its agent has something to say about it) or the operation under way; ``active`` is the
    node that runs the service, None while there is none."""

    states: Mapping[str, Mapping[str, str]]
    active: str | None


def tree_of(current: Live) -> Tree:
    """The service tree out of a reading."""
    states: dict[str, dict[str, str]] = {}
    degraded = {(failure.resource, failure.node) for failure in current.monitor.failures if failure.degraded}
    for name in service(current.cib):
        states[name] = {node.name: "Stopped" for node in current.monitor.nodes}
        for instance in current.monitor.of(name):
            for node in instance.nodes:
                role = "Degraded" if (name, node) in degraded else instance.role
                states[name][node] = instance.pending or ("Failed" if instance.failed else role)
    return Tree(states, active(current))


def service(cib: Cib) -> dict[str, Primitive]:
    """The members that run once, each after the one it is tied to: Squid's resource and all that must be with it.

    Fencing, helpers on every node, and what the cluster runs besides are none. Without a resource for Squid, as while
    the service is being made, all that runs once counts.
    """
    once = {
        name: primitive
        for name, primitive in cib.primitives().items()
        if not primitive.agent.startswith("stonith:") and (_clone_free(cib, name) or promotable(cib, name))
    }
    family = {name for name, primitive in once.items() if name == _CUSTOMARY or _SQUID.search(primitive.agent)}
    members = {name: once[name] for name in _with(family, cib.together()) & once.keys()} if family else once
    ties = [(cib.inner_id(tie.resource), cib.inner_id(tie.with_resource)) for tie in cib.colocations()]

    def below(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        lowers = {lower for upper, lower in ties if upper == name and lower in members and lower not in seen}
        return lowers.union(*(below(lower, seen | {name}) for lower in lowers))

    return {name: members[name] for name in sorted(members, key=lambda name: len(below(name)))}


def ids(cib: Cib) -> set[str]:
    """What constraints may call the service's members: their own ids, and those of their clones."""
    members = service(cib)
    return {*members, *(cib.outer_id(name) for name in members)}


def _with(family: set[str], together: Sequence[set[str]]) -> set[str]:
    grown = family.union(*(each for each in together if each & family))
    return grown if grown == family else _with(grown, together)


def _clone_free(cib: Cib, name: str) -> bool:
    return cib.find(name).clone is None


def promotable(cib: Cib, name: str) -> bool:
    """Whether the member has a promoted role."""
    clone = cib.find(name).clone
    return clone is not None and clone.meta.get("promotable") == "true"


def where(current: Live) -> dict[str, list[str]]:
    """Each member with the nodes where it runs, or is promoted if it can be."""
    cib = current.cib
    return {name: current.monitor.running(name, promoted=promotable(cib, name)) for name in service(cib)}


def active(current: Live) -> str | None:
    """The node that runs the service; None while there is none, or parts of it run on both."""
    nodes = {node for where in where(current).values() for node in where}
    return nodes.pop() if len(nodes) == 1 else None


def base(cib: Cib) -> tuple[str, bool]:
    """What to move so that everything follows: the lowest member, as constraints call it, and whether promoted."""
    lowest = next(iter(service(cib)))
    return cib.outer_id(lowest), promotable(cib, lowest)


def arrived(current: Live, to: str) -> bool:
    """Whether every member runs on ``to``, and nowhere else."""
    found = where(current)
    return bool(found) and all(nodes == [to] for nodes in found.values())
