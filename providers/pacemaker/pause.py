"""Pacemaker's maintenance mode around package changes: what an upgrade restarts runs on, or is found again, unmoved.

In maintenance mode Pacemaker starts, stops and moves nothing, and a Pacemaker or Corosync that a package's own script
restarts finds its services running and fails nothing over. It is left again when every node and every node attribute is
back: earlier the service would go to the node where they came back first. What it was before is in the journals of all
nodes of the cluster from before it is entered until after it is left, with one value: any of them may be away, or be
replaced, when it is left.

Facts: crm_attribute(8), crm_mon(8).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import TimedOut
from providers.host.waiting import until
from providers.pacemaker import mode, monitor
from providers.pacemaker.monitor import Monitor
from providers.pacemaker.stack import parsed
from providers.pauses import Leave

MARK = "pending-maintenance"
BACK_WITHIN = 180.0
"""Seconds that a restarted cluster may take until it sees all its nodes again, on a slow machine."""
ATTRIBUTES_WITHIN = 30.0
"""Seconds that the first probes after a restart may take to bring back what they write down of each node."""

_PROPERTY = ("crm_attribute", "--type", "crm_config", "--name", mode.NAME)
_READ = script(
    'systemctl is-active --quiet pacemaker.service || exit 0; "$@"',
    *monitor.query().argv,
    ok=None,
    label="crm_mon, where Pacemaker runs",
    reads=True,
)


async def _view(node: Node) -> Monitor | None:
    """What a node says of its cluster; None where none runs, or Pacemaker is not installed. Raises `Unknown`."""
    result = await node.run(_READ)
    view = parsed(node, result.exit_code, result.stdout) if result.stdout else None
    return view if view is not None and any(each.online for each in view.nodes) else None


def _attributes(view: Monitor | None) -> set[tuple[str, str]]:
    """What the nodes have written down of themselves, by node and name."""
    return {(node, name) for node, each in view.attributes.items() for name in each} if view else set()


async def enter(cluster: Cluster, names: Sequence[str]) -> Leave:
    """Enter it if one of these nodes is in a running cluster."""
    seen = await cluster.each(_view, names)
    running = {name: view for name, view in seen.items() if view is not None}
    if not running:
        return partial(leave, cluster)
    # All of them: nothing is entered where one does not answer, because what it has noted may be what counts.
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    name, view = next(iter(running.items()))
    node, online = cluster.node(name), view.online()
    found = await _found(node)
    if told := mode.owed(found, entries, MARK):
        cluster.progress(told)
    mark = {MARK: mode.before(found, entries, MARK)}
    members = [each for each in entries if each in running or each in online or MARK in entries[each]]
    await cluster.each(lambda each: cluster.journal(each).put(mark), members)
    cluster.progress(f"{node.name}: maintenance mode while packages change; the service runs on")
    await node.run(command(*_PROPERTY, "--update", mode.ON))
    await node.run(command("crm_resource", "--wait", "--timeout=60", ok=None, timeout=90, reads=True))
    return partial(leave, cluster, view)


async def _found(node: Node) -> str:
    """The property as it is; "" where it is not set."""
    result = await node.run(command(*_PROPERTY, "--query", "--quiet", ok=None, reads=True))
    return result.stdout.strip() if result.exit_code == 0 else ""


async def leave(cluster: Cluster, whole: Monitor | None = None) -> None:
    """Bring maintenance mode back to what the journals say it was, once the cluster is as complete as ``whole``.

    Also every node with a mark has to be back: it was in the cluster when the mode was entered, and what runs there may
    run on where Pacemaker is stopped, while another node that manages again would start it once more. One that was on
    before is left to whom it belongs, who may have ended it since. Raises `TimedOut` when the cluster does not come
    back; it is in maintenance mode then.
    """
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    marked = [name for name, known in entries.items() if MARK in known]
    if not marked:
        return
    node = cluster.node(marked[0])
    wanted, attributes = {*marked, *(whole.online() if whole else ())}, _attributes(whole)

    def all_back(now: Monitor | None) -> bool:
        return attributes <= _attributes(now)

    seen, complete = await until(
        lambda: cluster.each(_view, marked),
        lambda seen: not _missing(seen, wanted),
        BACK_WITHIN,
        pause=2.0,
        report=lambda _, seconds: cluster.progress(f"{node.name}: waiting for the cluster ({seconds:.0f} s)"),
    )
    if not complete:
        raise _not_back(seen, _missing(seen, wanted))
    await until(lambda: _view(node), all_back, ATTRIBUTES_WITHIN, pause=2.0)
    # With ``whole`` this run has entered it, and told of an earlier one then.
    if whole is None and (told := mode.owed(await _found(node), entries, MARK)):
        cluster.progress(told)
    value = mode.recorded(entries, MARK)
    if value != mode.ON:
        await node.run(command(*_PROPERTY, *(("--update", value) if value else ("--delete",))))
    await cluster.each(lambda each: cluster.journal(each).drop([MARK]), marked)


def _missing(seen: Mapping[str, Monitor | None], wanted: Collection[str]) -> list[str]:
    """Those wanted that give no view though they are asked, or that any view does not count in.

    A node that has just been lost is counted in by the others until they notice.
    """
    views = [view.online() for view in seen.values() if view is not None]
    silent = wanted if not views else [name for name, view in seen.items() if view is None]
    return sorted(name for name in wanted if name in silent or any(name not in online for online in views))


def _not_back(seen: Mapping[str, Monitor | None], missing: Sequence[str]) -> TimedOut:
    stopped = [name for name in missing if name in seen and seen[name] is None]
    start = f"`systemctl start corosync pacemaker` on {', '.join(stopped)}" if stopped else ""
    look = f"see `systemctl status corosync pacemaker` on {', '.join(missing)}"
    return TimedOut(
        f"after the packages changed not all nodes are back in the cluster after {BACK_WITHIN:.0f} s, "
        f"which stays in maintenance mode; missing: {', '.join(missing)}"
        + (f"; Pacemaker does not answer on {', '.join(stopped)}" if stopped else ""),
        remedy=f"{look}{f', {start}' if start else ''}, then run again",
    )


async def give_up(cluster: Cluster) -> None:
    """Leave it for good, before packages are taken away: where Pacemaker no longer runs only the mark is dropped."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    marked = [name for name, known in entries.items() if MARK in known]
    seen = await cluster.each(_view, marked) if marked else {}
    if any(view is not None for view in seen.values()):
        await leave(cluster)
    elif marked:
        await cluster.each(lambda node: cluster.journal(node).drop([MARK]), marked)
