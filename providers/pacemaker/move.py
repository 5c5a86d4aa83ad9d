"""A planned move of the service."""

from __future__ import annotations

from collections.abc import Callable

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, for_systemd, script, systemd_line
from providers.connection.errors import SILENT, CommandFailed, HostError, NotVerified, Refused
from providers.pacemaker import fences, live, times
from providers.pacemaker.cib import Cib
from providers.pacemaker.live import Live
from providers.pacemaker.options import SECTIONS
from providers.pacemaker.service import active, arrived, base, service

UNIT = "squid-ha-switchover.service"
SLACK = 60.0

# $1 resource in constraints' words, $2 target, $3 seconds, $4 --promoted or nothing. The preference expires by itself,
# should the node die before the unit's end takes it away. Who started the unit ends it as soon as all has arrived; the
# rest is for the case that nobody does. Waiting here from the beginning would take the move its processor time.
_MOVE = r"""
set -eu
resource=$1 target=$2 limit=$3; shift 3
crm_resource --clear --expired --resource "$resource" || :
crm_resource --move --resource "$resource" --node "$target" --lifetime "PT${limit}S" "$@"
sleep 30
crm_resource --wait --timeout="$limit"
"""
# 5: the unit has ended by itself. Its end takes the constraint away.
_ACTIVE = 'systemctl is-active "$1" || :'
_END = 'systemctl stop "$1" || [ $? -eq 5 ]'
IDLE = 10
"""Readings in a row without a constraint that moves the service, after which it is not expected any more."""


async def switchover(cluster: Cluster, to: str, *, then: Command | None = None, current: Live | None = None) -> None:
    """Move the whole service to ``to`` and wait until all of it runs there; nothing to do if it does.

    ``then`` is run on ``to`` while the constraint still keeps the service there. ``current`` saves the first reading
    for who has just made it.

    A transient unit on the target does the moving and takes the constraint for it away when it ends, however it ends:
    a broken connection, or a killed program here, leaves nothing behind. Should the target itself die, the
    constraint expires. One that a move which was interrupted has left there is waited for, and ended. Whoever calls
    this holds the cluster's lock, so nobody else waits for it.

    Raises `Refused` where the target cannot take over or the mirror is not up to date on both sides.
    """
    if current is None:
        current = await live.read(cluster)
    if arrived(current, to):
        return
    _refuse_unfit(current, to)
    if stale := await fences.behind(cluster, current):
        raise stale
    members = service(current.cib)
    limit = SLACK + sum(
        times.limit(each.operations.values(), "demote", "stop", "promote", "start") for each in members.values()
    )
    doing = f"Waiting for the service on {to}"
    if to in await under_way(cluster):
        cluster.progress(f"A move to {to} that was interrupted is under way")
        current = await live.wait(cluster, lambda now: arrived(now, to) or not moving(now), limit=limit, doing=doing)
        if not arrived(current, to):
            await _stop_unit(cluster.node(to))
    if not arrived(current, to):
        await _start_unit(cluster.node(to), current.cib, to, limit)
        cluster.progress(f"Moving {', '.join(members)} to {to}")
    await live.wait(cluster, lambda now: arrived(now, to), limit=limit, doing=doing, give_up=_stayed(to))
    if then is not None:
        await cluster.node(to).run(then)
    await _end_unit(cluster, to)


def _refuse_unfit(current: Live, to: str) -> None:
    target = next((node for node in current.monitor.nodes if node.name == to), None)
    if target is None or not target.ready or target.maintenance:
        raise Refused("this node cannot take the service over now", node=to, remedy="see `crm_mon -1rf`")
    if target.standby:
        raise Refused("this node is aside, so it cannot take the service over", node=to, remedy="`squid-ha node back`")
    if current.monitor.maintenance:
        raise Refused("the cluster is in maintenance mode, so nothing moves", remedy="`squid-ha maintenance off` first")
    failed = [failure for failure in current.monitor.failures if failure.node == to and not failure.degraded]
    if failed:
        raise Refused(
            f"earlier failures may keep the service off this node: {'; '.join(map(str, failed))}",
            node=to,
            remedy="correct what they name, then `squid-ha cleanup`",
        )


def _stayed(to: str) -> Callable[[Live], HostError | None]:
    """Gives up when the unit has taken its constraint away and the service has not come."""
    idle = 0

    def judge(now: Live) -> HostError | None:
        nonlocal idle
        idle = 0 if moving(now) else idle + 1
        if idle < IDLE:
            return None
        said = "; ".join(str(failure) for failure in now.monitor.failures)
        return NotVerified(
            f"the service did not move to {to}: it runs on {active(now) or 'no single node'}{said and ': ' + said}",
            remedy=f"see `journalctl -u {UNIT} -u pacemaker` on {to}",
        )

    return judge


def moving(now: Live) -> bool:
    """Whether a constraint of a planned move is there."""
    resource, _ = base(now.cib)
    names = (f"cli-prefer-{resource}", f"cli-ban-{resource}-on-")
    return any(name.startswith(names) for name in now.cib.constraints_on({resource}))


def _infinitely_sticky(cib: Cib) -> bool:
    default = cib.options("rsc_defaults", SECTIONS["resource_defaults"][1]).get("resource-stickiness", "0")
    own = (cib.meta(name).get("resource-stickiness") for name in service(cib))
    return any((score or default).lstrip("+").upper() == "INFINITY" for score in own)


async def _start_unit(target: Node, cib: Cib, to: str, limit: float) -> None:
    resource, promoted = base(cib)
    role = ["--promoted"] if promoted else []
    # Against infinite stickiness a preference is not enough: the old node has to be forbidden as well.
    forbid = ["--force"] if _infinitely_sticky(cib) else []
    clear = ["/usr/sbin/crm_resource", "--clear", "--resource", resource, *(() if forbid else ("--node", to)), *role]
    move = for_systemd("/bin/sh", "-c", _MOVE, "sh", resource, to, str(round(limit)), *role, *forbid)
    try:
        await target.run(
            command(
                "systemd-run",
                f"--unit={UNIT}",
                "--collect",
                "--description=Moves the proxy service to this node",
                f"--property=RuntimeMaxSec={round(limit) + 30}",
                f"--property=ExecStopPost={systemd_line(*clear)}",
                "--",
                *move,
                label=f"systemd-run --unit={UNIT} crm_resource --move {resource} --node {to}",
            )
        )
    except CommandFailed as failure:
        if "already" in failure.stderr:
            raise Refused("a switchover is under way already", node=to, remedy="wait until it has ended") from failure
        raise


async def end_what_arrived(cluster: Cluster, current: Live) -> Live:
    """End what a move that was interrupted has left at work on its target, where the service has arrived there.

    Returns how the cluster is then. Whoever calls this holds the cluster's lock. Raises `Refused` where the service is
    on its way still.
    """
    for to in await under_way(cluster):
        if not arrived(current, to):
            raise Refused("a switchover is under way", node=to, remedy="wait until it has ended")
        current = await _end_unit(cluster, to)
    return current


async def under_way(cluster: Cluster) -> list[str]:
    """The nodes to which a planned move runs, of those that answer."""
    asking = script(_ACTIVE, UNIT, reads=True, label=f"systemctl is-active {UNIT}")

    async def ask(node: Node) -> bool:
        try:
            return (await node.run(asking)).stdout.strip() in {"active", "activating", "deactivating"}
        except SILENT:
            return False

    return [name for name, runs in (await cluster.each(ask)).items() if runs]


async def _stop_unit(target: Node) -> None:
    await target.run(script(_END, UNIT, timeout=90, label=f"systemctl stop {UNIT}"))


async def _end_unit(cluster: Cluster, to: str) -> Live:
    """End the unit and with it its constraint; the service must stay without it. Returns how the cluster is then."""
    await _stop_unit(cluster.node(to))
    await live.settle(cluster.node(to), limit=30)
    now = await live.settled_quorum(cluster)
    if moving(now):
        raise NotVerified(
            f"the constraint that moved the service to {to} is still there",
            remedy=f"`crm_resource --clear --resource {base(now.cib)[0]}` on {to}",
        )
    if not arrived(now, to):
        raise NotVerified(
            f"the service was on {to} and has left it again: it runs on {active(now) or 'no single node'}",
            remedy="see `crm_mon -1rf` for failures",
        )
    return now
