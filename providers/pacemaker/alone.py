"""Starting one node of a pair whose other one is off, which only a person can know.

After a start of its own a node waits until it has seen the other one once (``wait_for_all``), because the other might
run the service where this node cannot see it. That waiting is ended here, and the other one declared off, so that its
fencing is not waited for. Facts: votequorum(5), cmap_keys(8) (``quorum.cancel_wait_for_all``,
``runtime.votequorum.wait_for_all_status``), stonith_admin(8).
"""

from __future__ import annotations

import asyncio
import time

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.host.waiting import until
from providers.pacemaker import live, monitor, stack, stored, times
from providers.pacemaker.cib import Cib
from providers.pacemaker.live import Live
from providers.pacemaker.monitor import Monitor
from providers.pacemaker.service import arrived, mirror, promotable, service
from providers.storage import drbd
from providers.storage.views import read_status

START = 360.0
"""Seconds until Pacemaker answers: SBD's start delay and an election that nobody else takes part in included."""
SLACK = 120.0
ATTACHED = 120.0
"""Seconds until the half is attached, from when the cluster works."""

# Exit code 1 of --get means that there is no such key: this corosync does not wait.
_WAITS = "corosync-cmapctl -g runtime.votequorum.wait_for_all_status 2>/dev/null || [ $? -eq 1 ]"
_PROCEED = "corosync-cmapctl -s quorum.cancel_wait_for_all u8 1"
# $1 resource. The flags of the metadata: consistent, up to date when last seen, ... Nothing where there is none.
_DATA = r"""
command -v drbdadm >/dev/null || exit 0
drbdadm get-gi "$1" 2>/dev/null </dev/null || :
"""
_UP_TO_DATE_FLAG = 5


async def start_alone(cluster: Cluster, name: str) -> None:
    """Start the stack on ``name`` and have it run the service without the other node, which is off.

    Raises `Refused` where the cluster sees the other node, or the mirror's half here is known to be behind.
    """
    node = cluster.node(name)
    current = await _view(node)
    if current is not None:
        _refuse_seen(current, name)
    if current is None or not current.quorate:
        await _refuse_old(node)
        cluster.progress(f"Starting the cluster on {name} alone")
        await node.run(command("systemctl", "start", *stack.UNITS, timeout=START))
        await _proceed(cluster, node)
    current = await live.settled_quorum(cluster)
    await _declare_off(cluster, node, current)
    await _take_for_newest(cluster, node, current.cib)
    await _serve(cluster, name, current.cib)


async def _view(node: Node) -> Monitor | None:
    result = await node.run(monitor.query())
    return stack.parsed(node, result.exit_code, result.stdout)


def _refuse_seen(view: Monitor, name: str) -> None:
    seen = [other.name for other in view.nodes if other.name != name and other.online]
    if seen:
        raise Refused(
            f"the cluster sees {' and '.join(seen)}, so it is not off",
            node=name,
            remedy="see `squid-ha status`; a pair that is whole starts by itself",
        )


async def _refuse_old(node: Node) -> None:
    """A half that was told that it is behind must not become the source: the other one has newer data."""
    resource = await stored.mirror_on(node)
    said = await node.run(script(_DATA, resource, reads=True, label=f"drbdadm get-gi {resource}"))
    fields = said.stdout.strip().split(":")
    if len(fields) > _UP_TO_DATE_FLAG and fields[_UP_TO_DATE_FLAG] == "0":
        raise Refused(
            "the mirror's half here is known to be behind the other one",
            node=node.name,
            remedy="start the other node; if its data is lost for good, make this half the source by hand "
            f"(`drbdadm primary --force {resource}`)",
        )


async def _proceed(cluster: Cluster, node: Node) -> None:
    """Wait for an election, and end the waiting for the other node. Raises `Refused` where that one appears."""
    begun = shown = time.monotonic()
    while True:
        view = await _view(node)
        if view is not None:
            _refuse_seen(view, node.name)
            if view.quorate:
                return
        waits = await node.run(script(_WAITS, reads=True, label="corosync-cmapctl -g", ok=None))
        if view is not None and view.dc and waits.stdout.rstrip().endswith("= 1"):
            await node.run(script(_PROCEED, label=_PROCEED))
        now = time.monotonic()
        if now - begun > START:
            raise TimedOut(
                f"the cluster did not get ready within {START:.0f} s",
                node=node.name,
                remedy="see `journalctl -u corosync -u pacemaker` there, and run this again",
            )
        if now - shown > live.PROGRESS:
            cluster.progress(f"Waiting for the cluster on {node.name} ({now - begun:.0f} s)")
            shown = now
        await asyncio.sleep(live.pause(time.monotonic() - now))


async def _declare_off(cluster: Cluster, node: Node, current: Live) -> None:
    """Fencing of a node that is off may never succeed: what a person knows takes its place."""
    for other in current.monitor.nodes:
        if other.unclean:
            cluster.progress(f"Telling the cluster that {other.name} is off")
            await node.run(command("stonith_admin", "--confirm", other.name, timeout=120))


async def _take_for_newest(cluster: Cluster, node: Node, cib: Cib) -> None:
    """A half that lost its power while it was connected is only ``Consistent``: the other one may have more.

    DRBD's agent gives it no score where halves are fenced, so that nothing would ever promote it; but a person says
    that this node is to serve. Should the other one have written more after all, the two refuse each other when it
    returns (`squid-ha resolve split-brain`): nothing is overwritten.
    """
    if not any(promotable(cib, name) for name in service(cib)):
        return

    resource = mirror(cib)
    found, _ = await until(lambda: read_status(node, resource), lambda half: half.attached and half.settled, ATTACHED)
    if found.disk == "Consistent" and not found.connected:
        cluster.progress(f"Taking the mirror's half on {node.name} for the newest: the other one cannot be asked")
        await node.run(drbd.newest(resource))


async def _serve(cluster: Cluster, name: str, cib: Cib) -> None:
    members = service(cib)
    limit = SLACK + sum(times.limit(each.operations.values(), "start", "promote") for each in members.values())

    def runs(now: Live) -> bool:
        _refuse_seen(now.monitor, name)
        return arrived(now, name)

    try:
        await live.wait(cluster, runs, limit=limit, doing=f"Waiting for the service on {name}")
    except TimedOut as timeout:
        failures = (await live.read(cluster)).monitor.failures
        raise NotVerified(
            f"the service does not run on {name} after {limit:.0f} s" + "".join(f"; {failure}" for failure in failures),
            node=name,
            remedy="see `crm_mon -1rf` there, and run this again",
        ) from timeout
