"""Which change comes next on the way to a wanted member, or to its removal. Pure: from a reading to a new CIB.

The invariant: no step stops or moves what runs above the member. What is started only later is tied only then; what
runs elsewhere is first brought to the node of those above it; a rule that asks for a node attribute comes when every
node has that. Each step is derived from the cluster as it is, nothing is remembered between steps, so a run that was
cut off anywhere goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from providers.pacemaker.cib import TRANSIENT, Cib
from providers.pacemaker.model import Clone, Colocation, Constraint, Expression, Location, Order, Primitive
from providers.pacemaker.monitor import PROMOTED, Monitor

PLACE = "squid-ha-place-"
"""Begins the ids of the temporary constraints that bring a resource to the node of those above it."""


@dataclass(frozen=True)
class Place:
    """The resource (a primitive's id) must be running on the node before the next step makes sense."""

    resource: str
    node: str
    promoted: bool


@dataclass(frozen=True)
class Step:
    """Load ``cib``; then wait for each of ``places``, and until every node has the node ``attributes``."""

    cib: Cib
    places: tuple[Place, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A member as it shall be; ``stale`` are constraints that an earlier declaration made and this one does not.

    ``beneath`` is the member at the top of what will be tied to this one: where it runs already, this one has to start.
    """

    primitive: Primitive
    clone: Clone | None
    constraints: Mapping[str, Constraint]
    stale: tuple[str, ...] = ()
    beneath: str | None = None


def next_step(cib: Cib, state: Monitor, target: Target) -> Step | None:
    """The change to make now; None when the configuration is as wanted."""
    missing = _missing(cib, target)
    ties = [place for tie in missing.values() if (place := _misplaced(cib, state, tie)) is not None]
    places = [*_inserted(cib, state, target), *ties]
    unset = {name: absent for name, tie in missing.items() if (absent := _unset(state, tie))}
    if not places and not unset:
        done = _complete(cib, state, target)
        return None if done.text() == cib.text() else Step(done)
    loose = {
        name: tie for name, tie in missing.items() if name not in unset and not _ties_something_running(cib, state, tie)
    }
    changed = _with_member(cib, target).with_constraints(loose)
    for place in places:
        name, preference = _preference(changed, place)
        changed = changed.with_constraints({name: preference})
    return Step(changed, tuple(places), tuple(sorted({each for absent in unset.values() for each in absent})))


def _missing(cib: Cib, target: Target) -> dict[str, Constraint]:
    found = cib.find(target.primitive.id, target.constraints).constraints
    return {name: wanted for name, wanted in target.constraints.items() if found.get(name) != wanted}


def _with_member(cib: Cib, target: Target) -> Cib:
    found = cib.find(target.primitive.id)
    same = found.primitive == target.primitive and found.clone == target.clone
    return cib if same else cib.with_member(target.primitive, target.clone)


def _complete(cib: Cib, state: Monitor, target: Target) -> Cib:
    changed = _with_member(cib, target).with_constraints(_missing(cib, target))
    # A preference has done its work once everything is tied to the resource that it was for.
    lowers = {tie.with_resource for tie in target.constraints.values() if isinstance(tie, Colocation)}
    if not _inserting(cib, state, target):
        lowers.add(target.clone.id if target.clone else target.primitive.id)
    return changed.without_constraints([*(PLACE + lower for lower in lowers), *target.stale])


def _misplaced(cib: Cib, state: Monitor, tie: Constraint) -> Place | None:
    """Where the lower end of a colocation must come before it may be tied; None where it is there, or is free."""
    if not isinstance(tie, Colocation):
        return None
    upper, lower = cib.inner_id(tie.resource), cib.inner_id(tie.with_resource)
    promoted = tie.with_role in PROMOTED
    above = state.running(upper)
    if len(above) != 1 or above[0] in state.running(lower, promoted=promoted):
        return None
    return Place(lower, above[0], promoted)


def _inserting(cib: Cib, state: Monitor, target: Target) -> str | None:
    """The node of what will be tied to this member and runs already; None where nothing does, or is tied to it."""
    above = state.running(target.beneath) if target.beneath else []
    name = target.primitive.id
    tied = any(tie.lower == name for tie in cib.ties())
    return above[0] if len(above) == 1 and not tied else None


def _inserted(cib: Cib, state: Monitor, target: Target) -> list[Place]:
    """Where a member that comes below a running one must be brought, with what it stands on itself."""
    node = _inserting(cib, state, target)
    promoted = target.clone is not None and target.clone.meta.get("promotable") == "true"
    if node is None or node in state.running(target.primitive.id, promoted=promoted):
        return []
    lowers = [
        Place(cib.inner_id(tie.with_resource), node, tie.with_role in PROMOTED)
        for tie in target.constraints.values()
        if isinstance(tie, Colocation)
    ]
    return [*lowers, Place(target.primitive.id, node, promoted)]


def _unset(state: Monitor, tie: Constraint) -> list[str]:
    """Attributes that a rule asks for and that not every node has yet: until then it would judge nodes by nothing."""
    rule = tie.rule if isinstance(tie, Location) else []
    asked = {expression.attribute for expression in rule if not expression.attribute.startswith("#")}
    return lacking(state, asked)


def lacking(state: Monitor, names: Collection[str]) -> list[str]:
    """Those of these node attributes that some node which can be given work does not have."""
    nodes = [node.name for node in state.nodes if node.ready and not node.standby]
    return [name for name in sorted(names) if any(name not in state.attributes.get(node, {}) for node in nodes)]


def _ties_something_running(cib: Cib, state: Monitor, tie: Constraint) -> bool:
    if isinstance(tie, Colocation):
        return bool(state.running(cib.inner_id(tie.resource)))
    return isinstance(tie, Order) and bool(state.running(cib.inner_id(tie.then)))


def _preference(cib: Cib, place: Place) -> tuple[str, Location]:
    outer = cib.outer_id(place.resource)
    here = Expression(attribute="#uname", operation="eq", value=place.node)
    role = "Promoted" if place.promoted else None
    return PLACE + outer, Location(resource=outer, score="INFINITY", role=role, rule=[here])


# Removal


def strangers(cib: Cib, primitive_id: str, own: Collection[str]) -> list[str]:
    """Constraints on the member that are neither its own nor left by tools: they forbid its removal."""
    names = cib.constraints_on({primitive_id, cib.outer_id(primitive_id)})
    return [name for name in names if name not in own and not name.startswith((*TRANSIENT, PLACE))]


def stopped(cib: Cib, primitive_id: str) -> Cib:
    """With the member told to stop: deleted while it runs, its stop would get Pacemaker's default limit."""
    return cib.with_meta(primitive_id, "target-role", "Stopped")


def deleted(cib: Cib, primitive_id: str, own: Collection[str]) -> Cib:
    """Without the member, its constraints, and what tools have left on it."""
    return cib.without(primitive_id, {*own, *cib.constraints_on({primitive_id, cib.outer_id(primitive_id)})})


def leaves_unfenced(cib: Cib, primitive_id: str) -> bool:
    """Whether this is the last fencing device while others still rely on fencing."""
    others = [primitive for name, primitive in cib.primitives().items() if name != primitive_id]
    removed = cib.primitives().get(primitive_id)
    if removed is None or not removed.agent.startswith("stonith:"):
        return False
    fenced = cib.options("crm_config", "cib-bootstrap-options").get("stonith-enabled", "true") != "false"
    return fenced and bool(others) and not any(other.agent.startswith("stonith:") for other in others)
