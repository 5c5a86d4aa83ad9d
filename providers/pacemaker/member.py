"""One member of the service tree, or a helper beside it: a resource of the CIB with the constraints that tie it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pydantic import Field

from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import HostError, NotVerified, Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.pacemaker import journals, live, steps, times
from providers.pacemaker.live import Live
from providers.pacemaker.model import Clone, Constraint, Primitive
from providers.pacemaker.monitor import Failure
from providers.pacemaker.rivals import rival
from providers.pacemaker.undeclared import about_several, by_hand, tag, undeclared

SLACK = 60.0
"""Seconds granted beyond an agent's own limits: election, transition, a slow tool."""
IDLE = 8
"""Readings in a row without an operation under way after which a failed member is given up."""
_RESOURCE, _CONSTRAINT, _UNDECLARED = "found resource", "found constraint ", "found undeclared "


class Wanted(State):
    """``constraints`` by their id in the CIB (None on observation: that one is missing).

    ``runs`` says whether converge waits until the member is running (promoted, for a promotable clone). ``beneath``
    is the member (its primitive's id) that stands above all that will be tied to this one: inserted below it while it
    runs, this one is started on its node. ``undeclared``: constraints about the member that are none of this program's,
    by id, as XML; never wanted, and None where there are none.
    """

    primitive: Primitive | None
    clone: Clone | None = None
    constraints: dict[str, Constraint | None] = Field(default_factory=dict[str, "Constraint | None"])
    runs: bool = True
    beneath: str | None = None
    undeclared: dict[str, str] | None = None


def _primitive(wanted: Wanted) -> Primitive:
    if wanted.primitive is None:
        raise ValueError("a member without a resource cannot be wanted")
    return wanted.primitive


def _promotable(wanted: Wanted) -> bool:
    return wanted.clone is not None and wanted.clone.meta.get("promotable") == "true"


def _running(wanted: Wanted, current: Live) -> list[str]:
    return current.monitor.running(_primitive(wanted).id, promoted=_promotable(wanted))


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """What the cluster's configuration holds of the member, and whether it runs; who runs it is only a fact.

    Raises `Unknown` where no node can tell, or while the cluster is still moving the member.
    """
    current = await live.read(cluster)
    found = current.cib.find(_primitive(wanted).id, wanted.constraints)
    if found.nothing:
        return Absent()
    if wanted.runs and found.primitive is not None and not _running(wanted, current):
        current = await _after_transition(cluster, current)
        found = current.cib.find(_primitive(wanted).id, wanted.constraints)
    nodes = _running(wanted, current)
    values = Wanted(
        primitive=found.primitive,
        clone=found.clone,
        constraints={name: found.constraints.get(name) for name in wanted.constraints},
        runs=wanted.runs and bool(nodes),
        beneath=wanted.beneath,
        undeclared=undeclared(current.cib, _primitive(wanted).id, wanted.constraints) or None,
    )
    return Present(values, {"nodes": nodes})


async def _after_transition(cluster: Cluster, current: Live) -> Live:
    if not await live.settle(current.node, limit=15):
        raise Unknown("the cluster is moving its resources just now", remedy="run this again when it has settled")
    return await live.read(cluster)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Load what differs, step by step, without stopping what runs above; wait until it runs.

    Constraints about the member that nobody has declared go first, as they may keep it from where it belongs.

    What is there is read anew: each step is derived from the cluster as it is at that moment.
    """
    resource = _primitive(wanted)
    current = await live.settled_quorum(cluster)
    _refuse_beside(resource, current)
    _refuse_several(resource, current, wanted)
    stale = await _journal(cluster, wanted, current)
    current = await _without_undeclared(cluster, wanted, current)
    constraints = {name: tie for name, tie in wanted.constraints.items() if tie is not None}
    target = steps.Target(resource, wanted.clone, constraints, stale, wanted.beneath)
    await _forget_failures(wanted, current)
    while (step := steps.next_step(current.cib, current.monitor, target)) is not None:
        made_on = await live.change(cluster, lambda now: _edit(now, target), live=current)
        for place in step.places:
            await _wait_placed(cluster, resource, place)
        await _wait_attributes(cluster, resource, step.attributes)
        await live.settle(made_on.node, limit=_start_limit(wanted))
        current = await live.settled_quorum(cluster)
    if wanted.runs:
        await _wait_running(cluster, wanted, current)
    await journals.finish(cluster, [_CONSTRAINT + name for name in stale])


def _refuse_beside(resource: Primitive, current: Live) -> None:
    """Two that carry the same address, or mount or start the same, fight for it."""
    if current.cib.find(resource.id).primitive is None and (other := rival(current.cib, resource)):
        raise Refused(
            f"the cluster has a resource `{other}` that uses what `{resource.id}` would",
            node=current.node.name,
            remedy="leave it as it is (`pacemaker.adopted.members`, docs/adopt.md), or delete it with the tool that "
            f"made it, such as `pcs resource delete {other}`",
        )


def _refuse_several(resource: Primitive, current: Live, wanted: Wanted) -> None:
    """What may bind other people's resources as well is theirs to delete."""
    found = undeclared(current.cib, resource.id, wanted.constraints)
    if several := next(((name, text) for name, text in found.items() if about_several(current.cib, text)), None):
        name, text = several
        raise Refused(
            f"the constraint `{name}` is about `{resource.id}`, is not declared, and may be about other resources too, "
            f"so it is not deleted here: {text}",
            node=current.node.name,
            remedy=f"change it so that it leaves `{resource.id}` out, or delete it there: {by_hand(name, tag(text))}",
        )


async def _without_undeclared(cluster: Cluster, wanted: Wanted, current: Live) -> Live:
    name = _primitive(wanted).id
    found = undeclared(current.cib, name, wanted.constraints)
    if not found:
        return current
    for text in found.values():
        cluster.progress(f"Deleting a constraint about {name} that is not declared: {text}")
    changed = await live.change(cluster, lambda now: now.cib.without_constraints(found), live=current)
    await live.settle(changed.node, limit=SLACK)
    return await live.settled_quorum(cluster)


def _edit(current: Live, target: steps.Target) -> live.Cib:
    step = steps.next_step(current.cib, current.monitor, target)
    return step.cib if step is not None else current.cib


async def _journal(cluster: Cluster, wanted: Wanted, current: Live) -> tuple[str, ...]:
    """Record what was there before, on every node; returns constraints of ours that are no longer declared."""
    known = await journals.entries(cluster)
    before = {_RESOURCE: current.cib.excerpt(_primitive(wanted).id, ())}
    before |= {_CONSTRAINT + name: current.cib.excerpt("", [name]) for name in wanted.constraints}
    # These are about to be deleted. Whether one came before the member was this program's nobody can tell afterwards.
    others = undeclared(current.cib, _primitive(wanted).id, wanted.constraints)
    before |= {_UNDECLARED + name: current.cib.excerpt("", [name]) for name in others}
    await journals.begin(cluster, before, known)
    made = (name.removeprefix(_CONSTRAINT) for name in known if name.startswith(_CONSTRAINT))
    return tuple(name for name in made if name not in wanted.constraints)


async def _forget_failures(wanted: Wanted, current: Live) -> None:
    """A failure from before would keep the member off the node, although its cause may be gone."""
    name = _primitive(wanted).id
    if current.monitor.failures_of(name) and not _running(wanted, current):
        await current.node.run(command("crm_resource", "--cleanup", "--resource", name, timeout=120))


# Waiting


def _start_limit(wanted: Wanted) -> float:
    operations = _primitive(wanted).operations.values()
    names = ("start", "promote") if _promotable(wanted) else ("start",)
    return times.limit(operations, *names) + SLACK


async def _wait_placed(cluster: Cluster, resource: Primitive, place: steps.Place) -> None:
    await live.wait(
        cluster,
        lambda now: place.node in now.monitor.running(place.resource, promoted=place.promoted),
        limit=times.limit(resource.operations.values(), "stop", "start", "promote", "demote") + SLACK,
        doing=f"Waiting for {place.resource} on {place.node}, where the service runs",
        give_up=_given_up(place.resource),
    )


async def _wait_attributes(cluster: Cluster, resource: Primitive, names: Collection[str]) -> None:
    if not names:
        return
    await live.wait(
        cluster,
        lambda now: not steps.lacking(now.monitor, names),
        limit=times.limit(resource.operations.values(), "start", "monitor") + SLACK,
        doing=f"Waiting for {resource.id} to tell of every node: {', '.join(names)}",
        give_up=_given_up(resource.id),
    )


async def _wait_running(cluster: Cluster, wanted: Wanted, current: Live) -> None:
    name = _primitive(wanted).id
    seen: list[Live] = []

    def runs(now: Live) -> bool:
        seen[:] = [now]
        return bool(_running(wanted, now))

    role = "to be promoted" if _promotable(wanted) else "to run"
    try:
        await live.wait(
            cluster,
            runs,
            limit=_start_limit(wanted),
            doing=f"Waiting for {name} {role}",
            give_up=_given_up(name),
            live=current,
        )
    except live.TimedOut as error:
        hint = _why_not(seen[0], name) if seen else ""
        raise live.TimedOut(error.message + hint, remedy=error.remedy) from error


def _given_up(name: str) -> Callable[[Live], HostError | None]:
    """Gives up when the member has failed and nothing is under way any more."""
    idle = 0

    def judge(now: Live) -> HostError | None:
        nonlocal idle
        failures = now.monitor.failures_of(name)
        idle = idle + 1 if failures and not now.monitor.pending(name) else 0
        return _failed(name, failures) if idle >= IDLE else None

    return judge


def _failed(name: str, failures: list[Failure]) -> HostError:
    said = "; ".join(str(failure) for failure in failures[-2:])
    return NotVerified(
        f"{name} does not run: {said}",
        node=failures[-1].node,
        remedy="correct what the agent names and run this again: earlier failures are cleared first",
    )


def _why_not(now: Live, name: str) -> str:
    reasons: list[str] = []
    if now.monitor.maintenance:
        reasons.append("the cluster is in maintenance mode")
    away = [node.name for node in now.monitor.nodes if node.standby or not node.ready]
    if away:
        reasons.append(f"not available: {', '.join(away)}")
    reasons += [
        f"{tie.lower}, which it needs, does not run"
        for tie in now.cib.ties()
        if tie.upper == name and not now.monitor.running(tie.lower)
    ]
    reasons += [str(failure) for failure in now.monitor.failures]
    return f" ({'; '.join(reasons)})" if reasons else ""


# Removal


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Stop the member, wait, then delete it with its constraints; what was found before stays as it was found."""
    entries = await journals.entries(cluster)
    if not entries:
        return
    name = _primitive(wanted).id
    own = sorted(
        {*wanted.constraints, *(key.removeprefix(_CONSTRAINT) for key in entries if key.startswith(_CONSTRAINT))}
    )
    if entries.get(_RESOURCE):
        await live.change(cluster, lambda now: _as_found(now, own, entries), verify=False)
    else:
        await _stop(cluster, wanted, own)
        changed = await live.change(cluster, lambda now: steps.deleted(now.cib, name, own), verify=False)
        await live.settle(changed.node, limit=SLACK)
    await journals.forget(cluster)


def _as_found(now: Live, own: list[str], entries: dict[str, str]) -> live.Cib:
    changed = now.cib.without_constraints(own).restored(entries[_RESOURCE])
    for name in own:
        excerpt = entries.get(_CONSTRAINT + name)
        changed = changed.restored(excerpt) if excerpt else changed
    for excerpt in (value for key, value in entries.items() if key.startswith(_UNDECLARED)):
        changed = changed.restored(excerpt)
    return changed


async def _stop(cluster: Cluster, wanted: Wanted, own: list[str]) -> None:
    resource = _primitive(wanted)
    current = await live.change(cluster, lambda now: _guarded(now, resource.id, own), verify=False)
    if current.cib.find(resource.id).primitive is None:
        return
    limit = times.limit(resource.operations.values(), "demote", "stop") + SLACK
    await live.settle(current.node, limit)
    await live.wait(
        cluster,
        lambda now: not now.monitor.active(resource.id),
        limit=limit,
        doing=f"Waiting for {resource.id} to stop",
        give_up=_given_up(resource.id),
    )


def _guarded(now: Live, name: str, own: list[str]) -> live.Cib:
    foreign = steps.strangers(now.cib, name, own)
    if foreign:
        raise Refused(
            f"{name} cannot be removed: constraints that are not its own name it: {', '.join(foreign)}",
            node=now.node.name,
            remedy="remove what depends on it first",
        )
    if steps.leaves_unfenced(now.cib, name):
        raise Refused(
            f"{name} is the last fencing device and resources are still there",
            node=now.node.name,
            remedy="remove the resources first, or declare another fencing device",
        )
    return steps.stopped(now.cib, name)
