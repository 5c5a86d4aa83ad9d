"""A change of Squid's configuration before it is made: what of the files differs, and whether every node takes it.

And what becomes of it where Squid does not serve afterwards: only this site's own files can go back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, NotVerified
from providers.host.settings import NodeSettings
from providers.host.settings_kind import read_all
from providers.squid import accepted, admission, conf, handover, reading
from providers.squid.includes import Included
from providers.squid.loading import NotOpened
from providers.squid.wanted import Wanted

PENDING = "pending-reload"
RESTART = "pending-restart"


@dataclass(frozen=True)
class Change:
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


async def admitted(cluster: Cluster, wanted: Wanted) -> Change:
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
    return Change(found, entries, records, included, edited, unread, paths, ours=any(own.values()))


async def left_running(cluster: Cluster, wanted: Wanted, change: Change) -> Sequence[str]:
    """The nodes whose Squid goes on running. Raises `Refused` where one could not read what it has to."""
    active = await reading.active(cluster, wanted)
    for name in active:
        if change.paths[name] or PENDING in change.entries[name]:
            await handover.refuse_unmounted(cluster.node(name), wanted.mounts)
    known = [name for name, recorded in change.entries.items() if recorded]
    return await handover.leave_one(cluster, wanted.unit, wanted.nodes, active, known)


def to_take_back(wanted: Wanted, change: Change, failure: HostError) -> HostError:
    """The failure that the old files come back for; raised at once where it is not this site's own files' doing."""
    edited = {path for name, paths in change.edited.items() for path in paths if path in change.included[name].files}
    whole, read_once = _with_edited(failure, edited), change.read_once()
    if read_once and (not change.ours or (isinstance(failure, NotOpened) and failure.node in read_once)):
        raise _of_read_once(whole, wanted.unit) from failure
    return whole


def _with_edited(failure: HostError, paths: Collection[str]) -> HostError:
    """With the included files that are other ones than before: nothing here brings those back."""
    if not paths:
        return failure
    text = f"{failure.message}; what was edited in included files stays as it is ({', '.join(sorted(paths))})"
    return NotVerified(text, node=failure.node)


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
