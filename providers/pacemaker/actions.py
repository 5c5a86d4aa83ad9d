"""What operators do to a running cluster: a node aside and back, maintenance mode, failures forgotten.

Each reads first, does nothing where all is as wanted, and waits until it has taken effect. Facts: crm_attribute(8),
crm_resource(8).
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, script
from providers.connection.errors import HostError, NotVerified, Refused, TimedOut
from providers.pacemaker import fences, live, mode, times
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.live import Live
from providers.pacemaker.model import Primitive
from providers.pacemaker.monitor import NodeView
from providers.pacemaker.move import end_what_arrived, switchover
from providers.pacemaker.notices import FENCE
from providers.pacemaker.service import active, arrived, ids, promotable, service

SLACK = 60.0
_UNTIL_BOOT = ("--lifetime", "reboot")

# $1 node. For ten minutes: just then the cluster may have no quorum, or be starting here.
_WAY_BACK = r"""
for _ in $(seq 60); do
    if crm_attribute --node "$1" --name standby --delete &&
        crm_attribute --node "$1" --name standby --lifetime reboot --delete; then
        exit 0
    fi
    sleep 10
done
exit 1
"""


async def aside(cluster: Cluster, node: str) -> None:
    """Standby mode, after the service has moved away. Raises `Refused` where it cannot."""
    current = await live.read(cluster)
    view = _view(current, node)
    if view.standby and _empty(current, node):
        return
    _refuse_maintenance(current)
    if not view.standby:
        standby = _standby(node, "--update", "on")
        if active(current) == node:
            # Without stickiness the service might be back before the node is aside.
            await switchover(cluster, _other(current, node), then=standby, current=current)
        elif _serves(current, node):
            # Where members are on their way there is no active node; standby would finish that by moving them.
            raise Refused(
                "parts of the service run here and others do not", node=node, remedy="wait until it has settled"
            )
        else:
            await current.node.run(standby)
    limit = SLACK + sum(times.limit(each.operations.values(), "demote", "stop") for each in _members(current))
    doing = f"Waiting until nothing runs on {node}"
    await live.wait(
        cluster, lambda now: _view(now, node).standby and _empty(now, node), limit=limit, doing=doing, give_up=_stuck
    )


async def back(cluster: Cluster, node: str) -> None:
    """Standby mode ended, and the node's half of the mirror running again. What was set until a reboot goes too."""
    current = await live.read(cluster)
    if not _view(current, node).standby and _joined(current, node):
        return
    _refuse_maintenance(current)
    await current.node.run(_standby(node, "--delete"))
    await current.node.run(_standby(node, *_UNTIL_BOOT, "--delete"))
    limit = SLACK + sum(times.limit(each.operations.values(), "start") for each in _members(current))

    def taken_in(now: Live) -> bool:
        return not _view(now, node).standby and _joined(now, node)

    await live.wait(cluster, taken_in, limit=limit, doing=f"Waiting until {node} takes part again", give_up=_stuck)


async def way_back(cluster: Cluster, node: str) -> Mapping[str, Command]:
    """Standby mode ended by any node of the cluster: one that boots meanwhile has no timer any more."""
    ended = script(_WAY_BACK, node, timeout=700.0, label=f"crm_attribute --node {node} --name standby --delete")
    return dict.fromkeys(cluster.nodes, ended)


async def leave(cluster: Cluster, node: str) -> None:
    """Have the service run on the other node even though the mirror is not whole, as a person decided.

    For the end of a split brain whose victim is active. The node is aside for a moment, at most until it boots, and in
    the end is not: where this was cut off, `end_leave` finishes it.
    """
    current = await live.read(cluster)
    _refuse_maintenance(current)
    to = _other(current, node)
    if not _view(current, to).ready or _view(current, to).standby:
        raise Refused("this node cannot take the service over now", node=to, remedy="see `squid-ha status`")
    held = [name for name in current.cib.transient() if name.startswith(FENCE)]
    if held:
        raise Refused(
            f"the mirror's fencing lets only {node} be its source ({', '.join(held)})",
            node=to,
            remedy="if the data here is the one to keep, delete that constraint (`cibadmin --delete --xml-text "
            "'<rsc_location id=\"...\"/>'`) and run this again",
        )
    await current.node.run(_standby(node, *_UNTIL_BOOT, "--update", "on"))
    limit = SLACK + sum(
        times.limit(each.operations.values(), "demote", "stop", "promote", "start") for each in _members(current)
    )
    try:
        await live.wait(cluster, lambda now: arrived(now, to), limit=limit, doing=f"Waiting for the service on {to}")
    finally:
        await current.node.run(_standby(node, *_UNTIL_BOOT, "--delete"))
    await back(cluster, node)


async def end_leave(cluster: Cluster) -> None:
    """Bring a node back whose `leave` was cut off; one that an operator put aside stays so."""

    async def left(node: Node) -> bool:
        query = command(*_standby(node.name, *_UNTIL_BOOT, "--query", "--quiet").argv, ok=None, reads=True)
        return (await node.run(query)).stdout.strip() == "on"

    for name in [name for name, found in (await cluster.each(left)).items() if found]:
        cluster.progress(f"{name} comes back: it was left by a run that was cut off")
        await back(cluster, name)


def _standby(node: str, *words: str) -> Command:
    return command("crm_attribute", "--node", node, "--name", "standby", *words)


def _view(current: Live, node: str) -> NodeView:
    found = next((view for view in current.monitor.nodes if view.name == node), None)
    if found is None:
        raise Refused("the cluster knows no such node", node=node, remedy="see `crm_mon -1rf`")
    return found


def _other(current: Live, node: str) -> str:
    others = [view.name for view in current.monitor.nodes if view.name != node]
    if not others:
        raise Refused("there is no other node that could run the service", node=node)
    return others[0]


def _members(current: Live) -> list[Primitive]:
    return list(service(current.cib).values())


def _serves(current: Live, node: str) -> bool:
    cib = current.cib
    return any(node in current.monitor.running(name, promoted=promotable(cib, name)) for name in service(cib))


def _empty(current: Live, node: str) -> bool:
    """Whether nothing of the service runs there, the mirror's half included. Of a node that is off nothing does."""
    return not _view(current, node).online or not any(
        node in current.monitor.active(name) for name in service(current.cib)
    )


def _joined(current: Live, node: str) -> bool:
    """Whether what runs on every node runs there, or cannot because the node is not ready."""
    halves = [name for name in service(current.cib) if promotable(current.cib, name)]
    return not _view(current, node).ready or all(node in current.monitor.running(name) for name in halves)


def _stuck(now: Live) -> HostError | None:
    """An instance that failed to stop, or may not be touched, comes by no waiting."""
    bad = [each for each in now.monitor.instances if each.blocked]
    if not bad:
        return None
    said = "; ".join(map(str, now.monitor.failures)) or "see `crm_mon -1rf`"
    return NotVerified(f"the cluster cannot go on: {', '.join(each.id for each in bad)} is blocked ({said})")


def _refuse_maintenance(current: Live) -> None:
    if current.monitor.maintenance:
        raise Refused(
            "the cluster is in maintenance mode, so nothing would start or stop",
            remedy="`squid-ha maintenance off` first",
        )


# Maintenance mode


async def maintenance(cluster: Cluster, on: bool) -> None:
    """The cluster's property; taken out, not set to false, so that nothing of ours stays in the configuration."""
    current = await live.read(cluster)
    if current.monitor.maintenance == on:
        return

    def edit(now: Live) -> Cib:
        put, drop = ({mode.NAME: mode.ON}, []) if on else ({}, [mode.NAME])
        return now.cib.with_options("crm_config", PROPERTIES, put, drop)

    await live.change(cluster, edit, live=current, verify=False)
    await live.settle(current.node, limit=60)
    doing = f"Waiting for maintenance mode to {'begin' if on else 'end'}"
    try:
        await live.wait(cluster, lambda now: now.monitor.maintenance == on, limit=30, doing=doing)
    except TimedOut as timeout:
        raise NotVerified(
            f"maintenance mode is still {'off' if on else 'on'}: another set of properties says so",
            remedy="see `cibadmin --query --scope crm_config`",
        ) from timeout


# Failures


async def cleanup(cluster: Cluster) -> None:
    """Failures forgotten and what they kept away tried again; constraints that `crm_resource` left, and those of the
    mirror's fencing whose reason is gone, taken back.

    Raises `NotVerified` with what fails anew, `Refused` while a switchover is under way: its constraint is one of them.
    """
    current = await end_what_arrived(cluster, await live.read(cluster))
    # What binds somebody else's resources is somebody else's.
    ours = current.cib.constraints_on(ids(current.cib))
    left = [name for name in current.cib.transient() if not name.startswith(FENCE) and name in ours]
    if left:
        await live.change(cluster, lambda now: now.cib.without_constraints(left), live=current, verify=False)
    await fences.lift(cluster, current)
    if not _failed(current):
        return
    await current.node.run(command("crm_resource", "--cleanup", timeout=120))
    await live.settle(current.node, limit=120)
    again = _failed(await live.settled_quorum(cluster))
    if again:
        raise NotVerified(
            f"it fails again: {'; '.join(again)}", remedy="correct the cause, then run `squid-ha cleanup` again"
        )


def _failed(current: Live) -> list[str]:
    failures = [str(failure) for failure in current.monitor.failures if not failure.degraded]
    counted = [f"{name} on {node}" for (name, node), count in current.monitor.fail_counts.items() if count]
    return failures or counted
