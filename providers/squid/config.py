"""Squid's configuration on all nodes as one thing: it reaches every node or none.

The order is what protects the running service: every node's Squid must accept the files before any node's are
replaced; the standby goes first; the active node's Squid reads them last and must then serve. If it does not, the old
files come back on all nodes and Squid reads those again. A change that was begun is in the journal as pending until
Squid has served with it, so that a run cut off between a new file and the reload is finished by the next.

Files that squid.conf includes are the site's own. They are never written, but read and compared with those that were
accepted last: one that was edited since is a difference, and a change like one of squid.conf itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError
from providers.connection.together import both
from providers.contract import Absent, Observed, Present
from providers.host import secret_files
from providers.host.settings import (
    NodeSettings,
    converge_settings,
    prune_settings,
    read_settings,
    record_settings,
    remove_settings,
)
from providers.host.settings_kind import any_there, read_all
from providers.host.systemd import act
from providers.squid import accepted, admission, conf, handover, kernel, loading, masking, probe, reading, rollback
from providers.squid.change import PENDING, RESTART, Change, admitted, left_running, to_take_back
from providers.squid.includes import Included
from providers.squid.rollback import Serving
from providers.squid.wanted import Wanted

sealed = secret_files.sealed
without_passwords = masking.in_file


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    before, after = ([settings.units.get(each.unit) for settings in each.nodes.values()] for each in (previous, wanted))
    return handover.refusal(before, after, wanted.mounts)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The files on every node. Where Squid runs is a fact, and never drift."""
    (found, live), (included, active) = await both(
        both(
            read_all(cluster, wanted.nodes),
            cluster.each(lambda node: kernel.read(node, list(wanted.kernel[node.name])), list(wanted.kernel)),
        ),
        both(reading.included(cluster, wanted), reading.active(cluster, wanted)),
    )
    if not any_there(wanted.nodes, found):
        return Absent()
    values = wanted.model_copy(update={"nodes": found, "kernel": live, "included": included})
    return Present(values, {"active": active})


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001 - read afresh
    """Validate everywhere, replace on the standby and then on the active node, reload there, and see that it serves.

    Raises `CommandFailed` when a node's Squid does not accept a file (nothing is changed then), `NotVerified` when
    Squid did not serve with the new files (the old ones are back then), `NotSeen` when it does on the active node and
    another node was lost meanwhile (the new ones stay, pending on nodes whose Squid was not seen to serve with them).
    """
    change = await admitted(cluster, wanted)
    active = await left_running(cluster, wanted, change)
    restart = {name: change.restart(wanted, name) for name in wanted.nodes}
    begun = await _begin(cluster, wanted, change.paths, restart)
    serving = [
        Serving(cluster.node(name), await probe.listeners(cluster.node(name), wanted.port), restart[name])
        for name in active
    ]
    readers = [one for one in serving if begun[one.node.name]]
    entries, included = change.entries, change.included
    before = await cluster.each(
        lambda node: rollback.read(node, wanted.nodes[node.name], wanted.kernel.get(node.name, {}), entries[node.name]),
        list(wanted.nodes),
    )
    try:
        for name in sorted(wanted.nodes, key=lambda name: name in active):
            await _write(cluster, cluster.node(name), wanted, change.found[name], sorted(begun[name]))
        read_before = {name for name in active if not begun[name]}
        read_now = {name: its for name, its in included.items() if name not in read_before}
        await loading.load(cluster, wanted, readers, read_now)
    except loading.NotSeen:
        await _settle(cluster, wanted, change, begun, [one.node.name for one in readers])
        raise
    except HostError as failure:
        whole = to_take_back(wanted, change, failure)
        await rollback.roll_back(cluster, wanted.unit, wanted.port, wanted.probe_url, before, serving, restart, whole)
    await _settle(cluster, wanted, change, begun, list(included))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Bring back what was there before; a Squid that goes on running reads it."""
    before = await read_all(cluster, wanted.nodes)
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    await cluster.each(
        lambda node: _take_back(cluster, node, wanted.nodes[node.name], before[node.name], entries[node.name]),
        list(wanted.nodes),
    )
    after = await read_all(cluster, wanted.nodes)
    for name in await reading.active(cluster, wanted):
        # A run that was cut off had taken the files back, and not told Squid.
        restart = (
            RESTART in entries[name]
            or _includes_restarting(entries[name])
            or conf.needs_restart(admission.text_of(before[name]), admission.text_of(after[name]))
        )
        await act(cluster.node(name), "restart" if restart else "reload", wanted.unit)
    await cluster.each(lambda node: kernel.restore(cluster, node), list(wanted.nodes))
    left = [PENDING, RESTART, accepted.ENTRY]
    await cluster.each(lambda node: cluster.journal(node).drop(left), list(wanted.nodes))


async def _settle(
    cluster: Cluster, wanted: Wanted, change: Change, begun: Mapping[str, set[str]], names: Sequence[str]
) -> None:
    """Accept what is included on these nodes; nothing of the change is pending there any more."""
    entries, included = change.entries, change.included
    await cluster.each(lambda node: _accept(cluster, node, wanted, entries[node.name], included[node.name]), names)
    done = [name for name in names if begun[name] or not {PENDING, RESTART}.isdisjoint(entries[name])]
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING, RESTART]), done)


async def _accept(cluster: Cluster, node: Node, wanted: Wanted, entries: Mapping[str, str], included: Included) -> None:
    """Record what of included files Squid has read now, or will when it starts here; only where that is new."""
    text = accepted.Accepted.of(admission.text_of(wanted.nodes[node.name]), included).to_text()
    if node.name not in wanted.included:
        await cluster.journal(node).drop([accepted.ENTRY] if accepted.ENTRY in entries else [])
    elif entries.get(accepted.ENTRY) != text:
        await cluster.journal(node).put({accepted.ENTRY: text})


def _includes_restarting(entries: Mapping[str, str]) -> bool:
    """Whether files that Squid has read said what it does not leave while it runs."""
    record = accepted.recorded(entries)
    return record is not None and bool(record.restarts)


async def _take_back(
    cluster: Cluster, node: Node, wanted: NodeSettings, found: NodeSettings, entries: Mapping[str, str]
) -> None:
    if conf.needs_restart(admission.text_of(found), "") or _includes_restarting(entries):
        await cluster.journal(node).put({RESTART: "yes"})
    await remove_settings(cluster, node, wanted)


async def _begin(
    cluster: Cluster, wanted: Wanted, changed: Mapping[str, Sequence[str]], restart: Mapping[str, bool]
) -> dict[str, set[str]]:
    """Mark the change as begun where there is one; node → paths that its Squid has to read again.

    What a run that was cut off had changed is among them.
    """

    async def begin(node: Node) -> set[str]:
        journal = cluster.journal(node)
        earlier = set((await journal.entries()).get(PENDING, "").splitlines())
        paths = earlier | set(changed[node.name])
        if paths:
            await record_settings(cluster, node, wanted.nodes[node.name])
            how = {RESTART: "yes"} if restart[node.name] else {}
            await journal.put({PENDING: "\n".join(sorted(paths)), **how})
        return paths

    return await cluster.each(begin, list(wanted.nodes))


async def _write(cluster: Cluster, node: Node, wanted: Wanted, found: NodeSettings, changed: Sequence[str]) -> None:
    """Files first, then units (enabled state, and running where that is declared)."""
    settings = wanted.nodes[node.name]
    await kernel.converge(cluster, node, wanted.kernel.get(node.name, {}))
    for path, secret in wanted.secrets.items():
        if path in changed and found.files[path].content != settings.files[path].content:
            await secret_files.write(cluster, node, path, settings.files[path], secret)
    await converge_settings(cluster, node, settings, found, act_on_units=False)
    await prune_settings(cluster, node, settings)
    await converge_settings(cluster, node, settings, await read_settings(node, settings), changed=changed)
