"""Squid's configuration on all nodes as one thing: it reaches every node or none.

The order is what protects the running service: every node's Squid must accept the files before any node's are
replaced; the standby goes first; the active node's Squid reads them last and must then serve. If it does not, the old
files come back on all nodes and Squid reads those again. A change that was begun is in the journal as pending until
Squid has served with it, so that a run cut off between a new file and the reload is finished by the next.

Files that squid.conf includes are the site's own. They are never written, but read and compared with those that were
accepted last: one that was edited since is a difference, and a change like one of squid.conf itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, NotVerified
from providers.contract import Absent, Observed, Present, State
from providers.host import secret_files
from providers.host.secret_files import SecretFile
from providers.host.settings import (
    NodeSettings,
    converge_settings,
    prune_settings,
    read_settings,
    record_settings,
    remove_settings,
)
from providers.host.settings_kind import any_there, read_all
from providers.host.systemd import act, read_units
from providers.squid import accepted, admission, conf, handover, includes, kernel, probe, rollback, served
from providers.squid.includes import Included
from providers.squid.rollback import Serving

PENDING = "pending-reload"
RESTART = "pending-restart"


class Wanted(State):
    """``nodes``: node → files of the configuration. ``unit`` is the service; ``port`` where it must listen afterwards.

    ``probe_url`` is what the running Squid is asked for after a reload; any HTTP answer shows that it serves.
    ``mounts`` are what must be mounted where Squid runs before it may read the files, because it logs there.
    ``kernel``: node → settings of the kernel. ``secrets``: path → what of the files is a secret; their contents are
    digests. ``readable``: path → user who must be able to read it, for files that are put there by others. For what the
    configuration includes: ``reserved``, port → whose it is, ``may_be_open``, whether anybody may be let in, and
    ``included``, node → `providers.squid.accepted.AS_ACCEPTED`, or in words what became of the files since.
    """

    nodes: dict[str, NodeSettings]
    unit: str
    port: str
    probe_url: str
    mounts: list[str] = Field(default_factory=list[str])
    kernel: dict[str, dict[str, str | None]] = Field(default_factory=dict[str, dict[str, str | None]])
    secrets: dict[str, SecretFile] = Field(default_factory=dict[str, SecretFile])
    readable: dict[str, str] = Field(default_factory=dict[str, str])
    reserved: dict[str, str] = Field(default_factory=dict[str, str])
    may_be_open: bool = False
    included: dict[str, str] = Field(default_factory=dict[str, str])


def sealed(wanted: Wanted, secret: secret_files.Secrets) -> Wanted:
    """``wanted`` with digests in the place of secrets. Raises `ValueError` where one is not set or not fit."""
    if not wanted.secrets:
        return wanted
    return wanted.model_copy(update={"nodes": secret_files.seal(wanted.nodes, wanted.secrets, secret)})


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    before, after = ([settings.units.get(each.unit) for settings in each.nodes.values()] for each in (previous, wanted))
    return handover.refusal(before, after, wanted.mounts)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The files on every node. Where Squid runs is a fact, and never drift."""
    readings = await asyncio.gather(
        read_all(cluster, wanted.nodes),
        cluster.each(lambda node: kernel.read(node, list(wanted.kernel[node.name])), list(wanted.kernel)),
        _included(cluster, wanted),
        _active(cluster, wanted),
        return_exceptions=True,
    )
    for each in readings:
        if isinstance(each, BaseException):
            raise each
    found, live, included, active = cast("_Readings", readings)
    if not any_there(wanted.nodes, found):
        return Absent()
    values = wanted.model_copy(update={"nodes": found, "kernel": live, "included": included})
    return Present(values, {"active": active})


_Readings = tuple[dict[str, NodeSettings], dict[str, dict[str, str | None]], dict[str, str], list[str]]


async def _included(cluster: Cluster, wanted: Wanted) -> dict[str, str]:
    """What became of the included files since they were accepted; without nodes of which that is not recorded.

    As they were included then: what is declared otherwise by now, or was changed in squid.conf, shows there.
    """
    names = [name for name in wanted.included if name in wanted.nodes]
    seen = await cluster.each(lambda node: _accepted_and_found(cluster, node, wanted), names)
    made: dict[str, str] = {}
    for name, (entries, record, its) in seen.items():
        text = admission.text_of(wanted.nodes[name])
        refused = includes.refusal(text, its, reserved=wanted.reserved, may_be_open=wanted.may_be_open)
        word = accepted.became(record, its, refused, new=not entries)
        if word is not None:
            made[name] = word
    return made


async def _accepted_and_found(
    cluster: Cluster, node: Node, wanted: Wanted
) -> tuple[Mapping[str, str], accepted.Accepted | None, Included]:
    """The journal, what was accepted out of it, and the files; mostly in one moment, so in one round trip."""
    patterns = conf.includes(admission.text_of(wanted.nodes[node.name]))
    entries, found = await asyncio.gather(
        cluster.journal(node).entries(), includes.read(node, patterns), return_exceptions=True
    )
    if isinstance(entries, BaseException):
        raise entries
    if isinstance(found, BaseException):
        raise found
    record = accepted.recorded(entries)
    if record is not None and list(record.patterns) != patterns:
        found = await includes.read(node, record.patterns)
    return entries, record, found


@dataclass(frozen=True)
class _Change:
    """What a run has found: files, journals and included files by node, and by node the paths that Squid has to read.

    Of these, ``edited`` are included files that were changed since they were accepted, ``unread`` those of which no
    run has noted that Squid has read them; ``ours``: some are this site's own files.
    """

    found: Mapping[str, NodeSettings]
    entries: Mapping[str, Mapping[str, str]]
    records: Mapping[str, accepted.Accepted | None]
    included: Mapping[str, Included]
    edited: Mapping[str, Sequence[str]]
    unread: Mapping[str, Sequence[str]]
    paths: Mapping[str, Sequence[str]]
    ours: bool

    def restart(self, wanted: Wanted, name: str) -> bool:
        """Whether the node's Squid does not take this over while it runs."""
        before, after = admission.text_of(self.found[name]), admission.text_of(wanted.nodes[name])
        return (
            RESTART in self.entries[name]
            or conf.needs_restart(before, after)
            or accepted.needs_restart(self.records[name], before, self.included[name])
        )

    def read_once(self) -> list[str]:
        """Nodes whose Squid runs with included files of which an earlier release noted nothing."""
        return [
            name for name, paths in self.unread.items() if paths and self.entries[name] and _includes(self.found[name])
        ]


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001 - read afresh
    """Validate everywhere, replace on the standby and then on the active node, reload there, and see that it serves.

    Raises `CommandFailed` when a node's Squid does not accept a file (nothing is changed then), `NotVerified` when
    Squid did not serve with the new files (the old ones are back then).
    """
    change = await _admitted(cluster, wanted)
    active = await _left_running(cluster, wanted, change)
    restart = {name: change.restart(wanted, name) for name in wanted.nodes}
    begun = await _begin(cluster, wanted, change.paths, restart)
    serving = [
        Serving(cluster.node(name), await probe.listeners(cluster.node(name), wanted.port), restart[name])
        for name in active
    ]
    entries, included = change.entries, change.included
    before = await cluster.each(
        lambda node: rollback.read(node, wanted.nodes[node.name], wanted.kernel.get(node.name, {}), entries[node.name]),
        list(wanted.nodes),
    )
    try:
        for name in sorted(wanted.nodes, key=lambda name: name in active):
            await _write(cluster, cluster.node(name), wanted, change.found[name], sorted(begun[name]))
        reading = [one for one in serving if begun[one.node.name]]
        read_before = {name for name in active if not begun[name]}
        await _load(cluster, wanted, reading, {name: its for name, its in included.items() if name not in read_before})
    except HostError as failure:
        whole = _to_take_back(wanted, change, failure)
        await rollback.roll_back(cluster, wanted.unit, wanted.port, wanted.probe_url, before, serving, whole)
    await cluster.each(
        lambda node: _accept(cluster, node, wanted, entries[node.name], included[node.name]), list(included)
    )
    done = [name for name in begun if begun[name] or not {PENDING, RESTART}.isdisjoint(entries[name])]
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING, RESTART]), done)


async def _admitted(cluster: Cluster, wanted: Wanted) -> _Change:
    """What has to change, once every node's Squid accepts it. Raises `CommandFailed`, `Refused`."""
    found = await read_all(cluster, wanted.nodes)
    own = {name: _changed(wanted.nodes[name], found[name]) for name in wanted.nodes}
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    records = {name: accepted.recorded(each) for name, each in entries.items()}
    included = await cluster.each(
        lambda node: admission.admit(
            node,
            wanted.nodes[node.name],
            own[node.name],
            readable=wanted.readable,
            reserved=wanted.reserved,
            may_be_open=wanted.may_be_open,
            accepted=records[node.name],
        ),
        list(wanted.nodes),
    )
    other_rules = accepted.other_rules(included)
    if other_rules:
        cluster.progress(other_rules)
    edited = {name: accepted.changed_since(records[name], its) for name, its in included.items()}
    unread = {name: accepted.unread(records[name], its) for name, its in included.items()}
    paths = {name: [*own[name], *edited[name], *unread[name]] for name in own}
    return _Change(found, entries, records, included, edited, unread, paths, ours=any(own.values()))


async def _left_running(cluster: Cluster, wanted: Wanted, change: _Change) -> Sequence[str]:
    """The nodes whose Squid goes on running. Raises `Refused` where one could not read what it has to."""
    active = await _active(cluster, wanted)
    for name in active:
        if change.paths[name] or PENDING in change.entries[name]:
            await handover.refuse_unmounted(cluster.node(name), wanted.mounts)
    known = [name for name, recorded in change.entries.items() if recorded]
    return await handover.leave_one(cluster, wanted.unit, wanted.nodes, active, known)


def _to_take_back(wanted: Wanted, change: _Change, failure: HostError) -> HostError:
    """The failure that the old files come back for; raised at once where it is not this site's own files' doing."""
    edited = {path for name, paths in change.edited.items() for path in paths if path in change.included[name].files}
    whole, read_once = _with_edited(failure, edited), change.read_once()
    if read_once and (not change.ours or (isinstance(failure, _NotOpened) and failure.node in read_once)):
        raise _of_read_once(whole, wanted.unit) from failure
    return whole


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Bring back what was there before; a Squid that goes on running reads it."""
    before = await read_all(cluster, wanted.nodes)
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    await cluster.each(
        lambda node: _take_back(cluster, node, wanted.nodes[node.name], before[node.name], entries[node.name]),
        list(wanted.nodes),
    )
    after = await read_all(cluster, wanted.nodes)
    for name in await _active(cluster, wanted):
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


async def _active(cluster: Cluster, wanted: Wanted) -> list[str]:
    units = await cluster.each(lambda node: read_units(node, [wanted.unit]), list(wanted.nodes))
    return [name for name, found in units.items() if found[wanted.unit].state == "active"]


def _with_edited(failure: HostError, paths: Collection[str]) -> HostError:
    """With the included files that are other ones than before: nothing here brings those back."""
    if not paths:
        return failure
    text = f"{failure.message}; what was edited in included files stays as it is ({', '.join(sorted(paths))})"
    return NotVerified(text, node=failure.node)


class _NotOpened(NotVerified):
    """A port that only included files name is not open."""


def _of_read_once(failure: HostError, unit: str) -> HostError:
    """Nothing goes back for what Squid has read for the first time that one knows of."""
    return NotVerified(
        f"{failure.message}; what squid.conf includes was read anew, because nothing was recorded of it, "
        "and nothing was taken back",
        node=failure.node,
        remedy=f"correct the included files (see Squid's cache.log and `journalctl -u {unit}` there), run again",
    )


def _includes(found: NodeSettings) -> bool:
    return bool(conf.includes(admission.text_of(found)))


def _changed(wanted: NodeSettings, found: NodeSettings) -> list[str]:
    return [path for path, file in wanted.files.items() if found.files[path] != file]


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


async def _load(cluster: Cluster, wanted: Wanted, serving: Sequence[Serving], included: Mapping[str, Included]) -> None:
    """Have the running Squid read its files, and see it serve. A Squid that the units just started is looked at too.

    ``included``: without nodes whose Squid was not made to read what is included.
    """
    for one in serving:
        how = "starts anew: it does not take this while it runs" if one.restart else "reads its configuration"
        cluster.progress(f"{one.node.name}: Squid {how}")
        await act(one.node, one.act, wanted.unit)
    before = {one.node.name: one.listeners for one in serving}
    for name in await _active(cluster, wanted):
        answer = await probe.serves(cluster.node(name), wanted.port, wanted.probe_url, not_by=before.get(name, ""))
        if answer.problem:
            raise NotVerified(f"Squid does not serve on port {wanted.port}: {answer.problem}", node=name)
        await _look(cluster.node(name), wanted, included.get(name, Included()))
    lost = set(before) - set(await _active(cluster, wanted))
    if lost:
        raise NotVerified(f"{wanted.unit} ended when it read its configuration", node=min(lost))


async def _look(node: Node, wanted: Wanted, included: Included) -> None:
    """All ports, and a record of a request in each log that must have one. Raises `NotVerified`."""
    text = admission.text_of(wanted.nodes[node.name])
    own = conf.endpoints(conf.directives(text))
    ports = await served.missing_ports(node, [*own, *included.endpoints])
    if ports:
        kind = NotVerified if {str(each) for each in own}.intersection(ports) else _NotOpened
        raise kind(f"Squid does not listen on {', '.join(ports)}", node=node.name)
    logs = await served.missing_records(node, wanted.port, conf.request_logs(text))
    if logs:
        raise NotVerified(f"Squid served a request and left no record of it in {', '.join(logs)}", node=node.name)
