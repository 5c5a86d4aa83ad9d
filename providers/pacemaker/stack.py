"""Corosync, Pacemaker (and SBD, which Corosync's unit starts and stops) on all nodes: start, stop, start anew.

Order matters: what shares a configuration starts and stops everywhere at once, Pacemaker leaves before Corosync, and
whatever runs is left running by maintenance mode. A node that leaves in this order is never fenced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import Refused, TimedOut, Unknown
from providers.pacemaker import live, mode, monitor
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.live import Live
from providers.pacemaker.monitor import Monitor

UNITS = ("corosync.service", "pacemaker.service")
ONLINE_LIMIT = 300.0
"""Seconds until all nodes must see each other: SBD's start delay, election and a slow machine included."""
STOP_LIMIT = 300.0
_MARK = "pending-restart"
"""No blank in it: marks of settings, which have one, are struck off together with the units they are for."""


async def views(cluster: Cluster) -> dict[str, Monitor | None]:
    """What each node says about the cluster; None where Pacemaker does not run."""

    async def view(node: Node) -> Monitor | None:
        result = await node.run(monitor.query())
        return parsed(node, result.exit_code, result.stdout)

    return await cluster.each(view)


def parsed(node: Node, exit_code: int, text: str) -> Monitor | None:
    """One node's view out of `monitor.query`; None where Pacemaker does not run, or is only just starting."""
    if exit_code != 0:
        return None
    try:
        return monitor.parse(text)
    except monitor.Starting:
        return None
    except ValueError as error:
        raise Unknown(str(error), node=node.name) from error


def seen_online(seen: Mapping[str, Monitor | None], name: str) -> bool:
    """Whether every node that can tell counts ``name`` in, and ``name`` itself is among them."""
    opinions = [view for view in seen.values() if view is not None]
    return seen.get(name) is not None and all(view.dc and name in view.online() for view in opinions)


async def start(cluster: Cluster) -> None:
    """Start the stack on all nodes at once, and wait until they see each other."""
    await cluster.each(lambda node: node.run(command("systemctl", "start", *UNITS, timeout=ONLINE_LIMIT + 60)))
    await wait_online(cluster)


async def wait_online(cluster: Cluster, limit: float = ONLINE_LIMIT) -> None:
    """Wait until each node counts all of them in. Raises `TimedOut` naming those that are not."""
    started = shown = time.monotonic()
    while True:
        asked = time.monotonic()
        seen = await views(cluster)
        missing = [name for name in cluster.nodes if not seen_online(seen, name)]
        if not missing:
            return
        now = time.monotonic()
        if now - started > limit:
            raise TimedOut(
                f"not all nodes have joined the cluster after {limit:.0f} s; missing: {', '.join(missing)}",
                remedy="see `corosync-cfgtool -s` and `journalctl -u corosync -u pacemaker` on the nodes: addresses, "
                "firewall (UDP 5405 and up), key",
            )
        if now - shown > live.PROGRESS:
            cluster.progress(f"Waiting for {', '.join(missing)} to join the cluster ({now - started:.0f} s)")
            shown = now
        await asyncio.sleep(live.pause(now - asked))


async def stop(cluster: Cluster) -> None:
    """Stop Pacemaker everywhere, then Corosync, which takes SBD along."""
    for unit in reversed(UNITS):
        stopping = command("systemctl", "stop", unit, timeout=STOP_LIMIT)
        await cluster.each(lambda node, stopping=stopping: node.run(stopping))


async def restart(cluster: Cluster, before_managed: Callable[[], Awaitable[None]] | None = None) -> None:
    """Start the stack anew on all nodes while the services run on, unmanaged. Cut off, it is to be called again.

    ``before_managed`` is done when it runs again and nothing is managed yet. The journal of the thing at work holds
    what maintenance mode was before (see `interrupted`).
    """
    running = [view for view in (await views(cluster)).values() if view is not None]
    if running:
        if not await _held(cluster, running):
            await _enter_maintenance(cluster)
        cluster.progress("Restarting the cluster's software on all nodes; services run on meanwhile")
        await stop(cluster)
    await start(cluster)
    await _wait_attributes(cluster)
    if before_managed is not None:
        await before_managed()
    await _leave_maintenance(cluster)


async def _held(cluster: Cluster, running: Sequence[Monitor]) -> bool:
    """Whether a restart that was cut off, or ended without quorum, holds the services unmanaged.

    With ``wait_for_all`` nodes that do not see each other, as by a wrong address, never get a quorum by waiting: only
    another restart, with what was put right, gets them out of it.
    """
    unmanaged = all(view.maintenance and not view.quorate for view in running)
    return unmanaged and await interrupted(cluster)


async def refuse_alone(cluster: Cluster) -> None:
    """Before anything of a change that ends in `restart`: raises `Refused` while nodes of the cluster take no part.

    With ``wait_for_all`` (votequorum(5)) those that start anew have no quorum until they have seen all others.
    """
    known = {node.name for view in (await views(cluster)).values() if view is not None for node in view.nodes}
    away = sorted(known - set(cluster.nodes))
    if away:
        raise Refused(
            f"this change starts the cluster's software anew, after which {', '.join(cluster.nodes)} would have no "
            f"quorum, and nobody would look after the service, until {', '.join(away)} is back",
            remedy="bring it back first (`away: false`), or leave what this changes as it was until then: addresses, "
            "links, fencing",
        )


async def interrupted(cluster: Cluster) -> bool:
    """Whether a `restart` for this thing was cut off."""
    return any(_MARK in entries for entries in (await _entries(cluster)).values())


async def _entries(cluster: Cluster) -> dict[str, dict[str, str]]:
    return await cluster.each(lambda node: cluster.journal(node).entries())


async def _enter_maintenance(cluster: Cluster) -> None:
    current = await live.settled_quorum(cluster)
    found = current.cib.options("crm_config", PROPERTIES, only=True).get(mode.NAME, "")
    entries = await _entries(cluster)
    if told := mode.owed(found, entries, _MARK):
        cluster.progress(told)
    # With one value: the next run may find one of the nodes replaced.
    mark = {_MARK: mode.before(found, entries, _MARK)}
    await cluster.each(lambda node: cluster.journal(node).put(mark))
    await live.change(cluster, lambda now: _maintenance(now.cib, mode.ON), live=current, verify=False)
    await live.settle(current.node, limit=60)


async def _leave_maintenance(cluster: Cluster) -> None:
    value = mode.recorded(await _entries(cluster), _MARK)
    if value is None:
        return
    if value != mode.ON:
        await live.change(cluster, lambda now: _maintenance(now.cib, value), verify=False)
    await cluster.each(lambda node: cluster.journal(node).drop([_MARK]))


def _maintenance(cib: Cib, value: str) -> Cib:
    put = {mode.NAME: value} if value else {}
    return cib.with_options("crm_config", PROPERTIES, put, [] if value else [mode.NAME])


async def _wait_attributes(cluster: Cluster) -> None:
    """Node attributes that rules ask for are lost with the restart and come back with the first probes.

    Managed again before they are back on all nodes, the service would move to where they came back first.
    """

    def complete(now: Live) -> bool:
        names = now.cib.rule_attributes()
        return all(names <= set(now.monitor.attributes.get(node, {})) for node in now.monitor.online())

    try:
        await live.wait(cluster, complete, limit=30, doing="Waiting for the nodes' attributes")
    except TimedOut:
        cluster.progress("Some node attributes that rules ask for did not come back; going on without them")
