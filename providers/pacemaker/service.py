"""The service in a reading of the cluster: its members, where they run, what everything else follows. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from providers.pacemaker.cib import PROPERTIES, Cib, Tie
from providers.pacemaker.fragments import YES
from providers.pacemaker.live import Live
from providers.pacemaker.model import Primitive
from providers.storage import drbd

_CUSTOMARY = "squid"
_FENCING = "stonith:"
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
    """The members that run once, each after those that it stands on: Squid's resource and all that must be with it.

    Fencing, helpers on every node, and what the cluster runs besides are none. Without a resource for Squid, as while
    the service is being made, all that runs once counts.
    """
    once = {
        name: primitive
        for name, primitive in cib.primitives().items()
        if not primitive.agent.startswith(_FENCING) and (_clone_free(cib, name) or promotable(cib, name))
    }
    family = {name for name, primitive in once.items() if name == _CUSTOMARY or _SQUID.search(primitive.agent)}
    # Two that stand on the same helper, which is on every node, need not be together.
    ties = [tie for tie in cib.ties() if {tie.upper, tie.lower} <= once.keys()]
    together = _with(family, ties) if family else once.keys()
    members = {name: primitive for name, primitive in once.items() if name in together}
    below = {name: len(_below(name, ties) & members.keys()) for name in members}
    return {name: members[name] for name in sorted(members, key=below.__getitem__)}


def fencing(cib: Cib) -> list[str]:
    """The fencing devices; none where the cluster does not fence at all."""
    fences = cib.options("crm_config", PROPERTIES).get("stonith-enabled", "true").lower() in YES
    return [name for name, each in cib.primitives().items() if fences and each.agent.startswith(_FENCING)]


def ids(cib: Cib) -> set[str]:
    """What constraints may call the service's members: their own ids, and those of their groups and clones."""
    members = service(cib)
    return {*members, *(holder for name in members for holder in cib.around(name))}


def _with(family: set[str], ties: Iterable[Tie]) -> set[str]:
    pairs = [{tie.upper, tie.lower} for tie in ties if tie.must]
    grown = family.union(*(pair for pair in pairs if pair & family))
    return grown if grown == family else _with(grown, ties)


def _below(name: str, ties: Collection[Tie], seen: frozenset[str] = frozenset()) -> set[str]:
    lowers = {tie.lower for tie in ties if tie.upper == name and tie.lower not in seen}
    return lowers.union(*(_below(lower, ties, seen | {name}) for lower in lowers))


def _clone_free(cib: Cib, name: str) -> bool:
    return cib.clone_of(name) is None


def promotable(cib: Cib, name: str) -> bool:
    """Whether the member has a promoted role."""
    clone = cib.clone_of(name)
    return clone is not None and (clone.meta.get("promotable") or "").lower() in YES


def mirrors(cib: Cib) -> list[str]:
    """What DRBD calls its resources below the service, as the members for them say."""
    named = (primitive.parameters.get("drbd_resource") for primitive in service(cib).values())
    return [name for name in named if name]


def mirror(cib: Cib) -> str:
    """What DRBD calls the service's mirror; the customary name where no member says it."""
    return next(iter(mirrors(cib)), drbd.RESOURCE)


def mount_point(cib: Cib) -> str | None:
    """Where the service's filesystem is mounted, that of the mirror before others; None without one."""
    mounted = [each.parameters for each in service(cib).values() if each.parameters.get("directory")]
    mounted.sort(key=lambda said: not (said.get("device") or "").startswith("/dev/drbd"))
    return next((said["directory"] for said in mounted), None)


def where(current: Live) -> dict[str, list[str]]:
    """Each member with the nodes where it runs, or is promoted if it can be."""
    cib = current.cib
    return {name: current.monitor.running(name, promoted=promotable(cib, name)) for name in service(cib)}


def active(current: Live) -> str | None:
    """The node that runs the service; None while there is none, or parts of it run on both."""
    nodes = {node for where in where(current).values() for node in where}
    return nodes.pop() if len(nodes) == 1 else None


def base(cib: Cib) -> tuple[str, bool]:
    """What to move so that everything follows, and whether promoted: the lowest member, or the group or clone that it
    is in."""
    lowest = next(iter(service(cib)))
    return [lowest, *cib.around(lowest)][-1], promotable(cib, lowest)


def arrived(current: Live, to: str) -> bool:
    """Whether every member runs on ``to``, and nowhere else."""
    found = where(current)
    return bool(found) and all(nodes == [to] for nodes in found.values())
