"""Corosync and Pacemaker on all nodes: configuration, the shared key, units, and everybody online."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import Refused
from providers.contract import Absent, Observed, Present, State
from providers.host.corosync import is_distribution_default
from providers.host.digest import AS_FOUND
from providers.host.settings import (
    FileState,
    NodeSettings,
    converge_settings,
    read_settings,
    record_settings,
    remove_settings,
)
from providers.pacemaker import authkey, corosync_conf, fences, live, monitor, stack
from providers.pacemaker.authkey import Key
from providers.pacemaker.monitor import Monitor

# No blank in these names: marks of settings, which have one, are struck off together with the units they are for.
_APPLY, _DISCARD, _FOUND, _LEFTOVERS = "pending-apply", "pending-discard", "found cluster", "found leftovers"
_COROSYNC = "corosync.service"
_LEFTOVER_FOLDERS = (
    "/var/lib/pacemaker/cib",
    "/var/lib/pacemaker/pengine",
    "/var/lib/pacemaker/blackbox",
    "/var/lib/pacemaker/cores",
    "/var/lib/corosync",
)
_LIST = 'for d; do if [ -d "$d" ] && [ -n "$(ls -A "$d")" ]; then echo "$d"; fi; done'
_CLEAR = 'for d; do if [ -d "$d" ]; then find "$d" -mindepth 1 -delete; fi; done'


class NodeMembership(State):
    """``key`` is ``shared`` when the node's authkey equals the others', ``online`` as Pacemaker's peers see it."""

    settings: NodeSettings
    key: Literal["shared", "different"] | None = "shared"
    online: Literal["yes", "no"] = "yes"


class Wanted(State):
    """``name`` is the cluster's; a running cluster of another name is foreign and refused."""

    name: str
    nodes: dict[str, NodeMembership]


@dataclass(frozen=True)
class _Reading:
    settings: NodeSettings
    key: Key
    view: Monitor | None

    @property
    def conf(self) -> str:
        return self.settings.files[corosync_conf.PATH].content or ""

    @property
    def as_found(self) -> bool:
        """Its configuration is somebody else's and stays: what it says is known by its digest alone."""
        return self.conf.startswith(AS_FOUND)

    @property
    def runs(self) -> bool:
        return self.view is not None or self.settings.units[_COROSYNC].active == "active"


async def _read(cluster: Cluster, wanted: Wanted) -> dict[str, _Reading]:
    async def read(node: Node) -> _Reading:
        settings = await read_settings(node, wanted.nodes[node.name].settings)
        key, view = await node.batch([authkey.query(), monitor.query()])
        return _Reading(settings, authkey.parse(key.stdout), stack.parsed(node, view.exit_code, view.stdout))

    return await cluster.each(read, list(wanted.nodes))


def _cluster_name(text: str) -> str:
    try:
        return corosync_conf.cluster_name(text)
    except ValueError:
        # Unreadable is certainly not ours; the difference in content tells the rest.
        return ""


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Files, units, key and who is online, per node. The key itself never leaves the nodes here."""
    read = await _read(cluster, wanted)
    if all(not node.key.digest and _cluster_name(node.conf) != wanted.name for node in read.values()):
        return Absent()
    keys = {name: node.key for name, node in read.items()}
    views = {name: node.view for name, node in read.items()}
    nodes = {
        name: NodeMembership(
            settings=node.settings,
            key=_key(keys, name),
            online="yes" if stack.seen_online(views, name) else "no",
        )
        for name, node in read.items()
    }
    return Present(Wanted(name=wanted.name, nodes=nodes))


def _key(keys: Mapping[str, Key], name: str) -> Literal["shared", "different"] | None:
    if not keys[name].digest:
        return None
    return "shared" if authkey.shared(keys, name) else "different"


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Configuration and key on all nodes first; then all start at once, reload, or start anew in maintenance mode.

    What has to be done after the files are written is journalled before: the files would no longer tell.
    """
    read = await _read(cluster, wanted)
    _refuse_foreign(cluster, wanted, read)
    known = await cluster.each(lambda node: cluster.journal(node).entries())
    default = _default_ones(read, known)
    how = await _begin(cluster, wanted, read, known, default)
    await _write(cluster, wanted, read)
    await _discard(cluster, default)
    if how == "restart":
        await stack.restart(cluster)
    await _units(cluster, wanted)
    await stack.wait_online(cluster)
    if how == "reload":
        await next(iter(cluster.nodes.values())).run(command("corosync-cfgtool", "-R"))
    await fences.lift(cluster, await live.settled_quorum(cluster))
    await cluster.each(lambda node: cluster.journal(node).drop([_APPLY]))


def _refuse_foreign(cluster: Cluster, wanted: Wanted, read: Mapping[str, _Reading]) -> None:
    if cluster.takeover:
        return
    for name, node in read.items():
        if node.as_found:
            continue
        found = _cluster_name(node.conf)
        if node.conf and found != wanted.name and not is_distribution_default(node.conf):
            raise Refused(
                f"this node is configured for another cluster ({found or 'without a name'})",
                node=name,
                remedy=f"remove {corosync_conf.PATH} if that cluster is gone, or declare `takeover: true`",
            )
        if is_distribution_default(node.conf) and node.view is not None and node.view.instances:
            running = ", ".join(sorted({each.id for each in node.view.instances}))
            raise Refused(
                f"this node is a cluster of its own, by the package's configuration, and it has resources: {running}",
                node=name,
                remedy="remove them, or declare `takeover: true`: that cluster is stopped and forgotten then",
            )


def _default_ones(read: Mapping[str, _Reading], known: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Nodes whose daemons run by the package's configuration, although a run that was cut off has replaced the file."""
    by_default = {name for name, node in read.items() if node.runs and is_distribution_default(node.conf)}
    return [name for name in read if _DISCARD in known[name] or name in by_default]


def _how(wanted: Wanted, read: Mapping[str, _Reading], source: str | None, default: Collection[str]) -> str:
    """What running daemons need to take over what is about to be written: nothing, ``reload`` or ``restart``."""
    how = ""
    for name, node in read.items():
        if not node.runs or name in default:
            continue
        new = wanted.nodes[name].settings.files[corosync_conf.PATH].content or ""
        if source is None or node.key.digest != read[source].key.digest:
            return "restart"
        if node.conf != new:
            try:
                restart = corosync_conf.needs_restart(node.conf, new)
            except ValueError:
                restart = True
            if restart:
                return "restart"
            how = "reload"
    return how


def _source(read: Mapping[str, _Reading]) -> str | None:
    """Whose key the others get: that of a node which runs, else of any that has one, else a new one is made."""
    having = [name for name, node in read.items() if node.key.digest]
    running = [name for name in having if read[name].runs]
    return next(iter([*running, *having]), None)


async def _begin(
    cluster: Cluster,
    wanted: Wanted,
    read: Mapping[str, _Reading],
    known: Mapping[str, Mapping[str, str]],
    default: Collection[str],
) -> str:
    """Journal what is there, and how the change will have to be applied; an interrupted run's worse need counts."""
    how = _how(wanted, read, _source(read), default)
    found = _found(wanted, read, known)

    async def begin(node: Node) -> str:
        journal = cluster.journal(node)
        entries = known[node.name]
        if _FOUND not in entries:
            left = await node.run(script(_LIST, *_LEFTOVER_FOLDERS, reads=True, label="look for traces of a cluster"))
            await journal.record({_FOUND: found, _LEFTOVERS: left.stdout})
        hidden = FileState(content="sha256:", mode="0400", owner="root:root")
        await record_settings(cluster, node, NodeSettings(files={authkey.PATH: hidden}))
        return entries.get(_APPLY, "")

    interrupted = await cluster.each(begin)
    needs = {how, *interrupted.values()}
    worst = "restart" if "restart" in needs else "reload" if "reload" in needs else ""
    if await stack.interrupted(cluster):
        worst = "restart"
    if worst == "restart":
        await stack.refuse_alone(cluster)
    discard = {_DISCARD: ""}
    await cluster.each(
        lambda node: cluster.journal(node).put({_APPLY: worst, **(discard if node.name in default else {})})
    )
    return worst


def _found(wanted: Wanted, read: Mapping[str, _Reading], known: Mapping[str, Mapping[str, str]]) -> str:
    """Whether the cluster ran before this site: as was found the first time, also for a node that joins later."""
    if before := {entries[_FOUND] for entries in known.values() if _FOUND in entries}:
        return "none" if "none" in before else "running"
    ours = any(node.runs and (node.as_found or _cluster_name(node.conf) == wanted.name) for node in read.values())
    return "running" if ours else "none"


async def _write(cluster: Cluster, wanted: Wanted, read: Mapping[str, _Reading]) -> None:
    source = _source(read)
    keys = {name: node.key for name, node in read.items()}
    if not all(authkey.shared(keys, name) for name in keys):
        await authkey.spread(cluster.nodes, keys, source)
    await cluster.each(
        lambda node: converge_settings(
            cluster, node, wanted.nodes[node.name].settings, read[node.name].settings, act_on_units=False
        ),
        list(wanted.nodes),
    )


async def _discard(cluster: Cluster, default: list[str]) -> None:
    """End the clusters of one that the package started by itself: their memory would mix with ours."""
    for unit in ("pacemaker.service", _COROSYNC):
        stopping = command("systemctl", "stop", unit, timeout=stack.STOP_LIMIT)
        await cluster.each(lambda node, stopping=stopping: node.run(stopping), default)
    clear = script(_CLEAR, *_LEFTOVER_FOLDERS, label="discard what the package's own cluster has stored")

    async def clear_store(node: Node) -> None:
        await node.run(clear)
        await cluster.journal(node).drop([_DISCARD])

    await cluster.each(clear_store, default)


async def _units(cluster: Cluster, wanted: Wanted) -> None:
    """Enable and start, on all nodes at once."""

    async def bring(node: Node) -> None:
        settings = wanted.nodes[node.name].settings
        await converge_settings(cluster, node, settings, await read_settings(node, settings))

    await cluster.each(bring, list(wanted.nodes))


# Removal


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Stop everywhere in the order in which nobody is fenced, then bring back files, units and an empty store.

    A cluster that ran before us goes on running; its files come back as they were. Raises `Refused` while resources
    are left: stopping the cluster would stop them.
    """
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    if not any(entries.values()):
        return
    made = any(known.get(_FOUND) == "none" for known in entries.values())
    if made:
        await _refuse_resources(cluster)
        await stack.stop(cluster)
    await cluster.each(lambda node: _take_back(cluster, node, wanted, entries[node.name], made=made))


async def _refuse_resources(cluster: Cluster) -> None:
    if not any((await stack.views(cluster)).values()):
        return
    left = sorted((await live.settled_quorum(cluster)).cib.primitives())
    if left:
        raise Refused(
            f"the cluster still has resources, which would stop with it: {', '.join(left)}",
            remedy="remove them first; they are not part of this declaration",
        )


async def _take_back(cluster: Cluster, node: Node, wanted: Wanted, entries: Mapping[str, str], *, made: bool) -> None:
    await remove_settings(cluster, node, wanted.nodes[node.name].settings)
    if made and _LEFTOVERS in entries:
        kept = entries[_LEFTOVERS].splitlines()
        ours = [folder for folder in _LEFTOVER_FOLDERS if folder not in kept]
        await node.run(script(_CLEAR, *ours, label="remove what the cluster has stored"))
    await cluster.journal(node).forget()
