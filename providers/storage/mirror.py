"""The replicated volume: a DRBD resource over the replication network, made only on blank disks.

A brand-new pair skips its first synchronisation: both disks were blank a moment ago and neither ever had a data
generation, which the kernel checks too (it refuses a new generation anywhere else). A half that was replaced is
synchronised from the other. Where the two halves refuse each other, nothing is ever resolved here.

Once Pacemaker manages the resource, it alone takes it up and down; only settings are still adjusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import Refused, Unknown
from providers.contract import PENDING, Absent, Observed, Present, State
from providers.host.settings import NodeSettings, converge_settings, remove_settings
from providers.host.waiting import until
from providers.storage import configuration, device, drbd, link, marks, others
from providers.storage.device import Disk, Signature
from providers.storage.filesystem_types import MAKING, TYPES
from providers.storage.half import Half, plain, read_halves, read_statuses, secret_file
from providers.storage.resource_file import of_connection
from providers.storage.status import Status

MODULE = "module"
MADE = "made"


class NodeMirror(State):
    """One node's half. ``settings`` has the resource file with `resource_file.SECRET` in the secret's place.

    ``metadata``: DRBD's metadata on the disk, made or adopted by this site. ``secret``: ``shared`` (the same on all
    nodes), ``missing`` or ``differs``. ``applied``: what runs has the settings of the file.
    """

    settings: NodeSettings
    metadata: Literal["ours"] | None = "ours"
    secret: str = "shared"  # noqa: S105 - says that there is one, not which
    attached: Literal["yes", "no"] = "yes"
    applied: Literal["yes", "no"] = "yes"


class Wanted(State):
    """``resource`` is DRBD's name, ``volume`` its block device (``/dev/drbd0``), ``device`` the backing disk by-id.

    ``devices``: node → that disk, of all nodes where it is not ``device`` on each, else of none.
    ``on_remove`` is ``keep`` (data and metadata stay on the disk) or ``wipe``: then ``filesystem`` and ``label`` say
    what else than metadata may be wiped; None in the state of earlier versions. ``connected`` is part of the state:
    a mirror that does not reach its peer is drift; ``no`` where only one node is there (the other is away).
    """

    resource: str
    volume: str
    device: str
    devices: dict[str, str] = Field(default_factory=dict[str, str])
    on_remove: Literal["keep", "wipe"] = "keep"
    filesystem: str | None = None
    label: str | None = None
    connected: Literal["yes", "no"] = "yes"
    nodes: dict[str, NodeMirror]

    def device_on(self, node: str) -> str:
        """The path of the backing disk on ``node``."""
        return self.devices.get(node, self.device)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """What is there. A synchronisation under way is no drift; a state that passes is waited for.

    Raises `Unknown` if it does not pass within 20 seconds.
    """
    halves, settled = await until(
        lambda: read_halves(cluster, wanted),
        lambda found: all(half.status.settled for half in found.values()),
        limit=20,
    )
    if all(half.untouched for half in halves.values()):
        return Absent()
    if not settled:
        states = ", ".join(f"{name}: {half.status.connection}/{half.status.disk}" for name, half in halves.items())
        raise Unknown(f"the mirror {wanted.resource} stays in transition ({states})")
    secrets = configuration.compared({name: half.configuration for name, half in halves.items()})
    nodes = {
        name: NodeMirror(
            settings=half.settings,
            metadata="ours" if half.ours else None,
            secret=secrets[name],
            attached="yes" if half.status.attached else "no",
            applied="no" if half.status.configured and half.pending else "yes",
        )
        for name, half in halves.items()
    }
    connected = len(halves) > 1 and all(half.status.connected for half in halves.values())
    values = wanted.model_copy(update={"nodes": nodes, "connected": "yes" if connected else "no"})
    return Present(values, {name: _facts(half) for name, half in halves.items()})


def _facts(half: Half) -> dict[str, str]:
    status = half.status
    return {
        "role": status.role,
        "disk": status.disk,
        "connection": status.connection,
        "replication": status.replication,
        "in_sync": status.in_sync,
    }


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Make both halves, connect them, and see that one of them has the data. All guards come before any change.

    Raises `Refused` for a disk that is not blank and not ours, for halves that refuse each other, and for a change
    that would interrupt replication under a running service.
    """
    halves = await read_halves(cluster, wanted)
    fresh = [name for name, half in halves.items() if not half.claimed]
    await cluster.each(
        lambda node: others.refuse_shared(node, wanted.resource, wanted.volume, wanted.device_on(node.name)), fresh
    )
    create = _judge(cluster, wanted, halves)
    _refuse_interruption(wanted, halves)
    for name, half in halves.items():
        if not half.claimed:
            path = secret_file(wanted.nodes[name].settings)
            await configuration.claim(cluster, cluster.node(name), path, half.configuration)
    await cluster.each(lambda node: _mark(cluster, node, halves[node.name], create), list(halves))
    await cluster.each(lambda node: _settings(cluster, node, wanted, halves[node.name]), list(halves))
    await _spread(cluster, wanted, halves)
    await cluster.each(
        lambda node: node.run(drbd.create(wanted.resource, wanted.device_on(node.name))),
        [name for name in halves if create[name]],
    )
    await _adjust(cluster, wanted, halves)
    await link.connect(cluster, wanted)
    await link.first_generation(cluster, wanted)
    await link.verify_source(cluster, wanted)
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING]), list(halves))


def _judge(cluster: Cluster, wanted: Wanted, halves: dict[str, Half]) -> dict[str, bool]:
    """Node → whether metadata is to be made there. Raises `Refused`, `Unknown`."""
    create: dict[str, bool] = {}
    for name, half in halves.items():
        if half.managed == "unknown":
            raise Unknown("Pacemaker does not say whether it manages the mirror", node=name)
        moved_from, path = marks.device_of(half.entries), wanted.device_on(name)
        if moved_from not in {"", path}:
            raise Refused(
                f"the mirror lies on {moved_from}; it is not moved to {path} in place",
                node=name,
                remedy="declare the old device again; to start anew on another disk, take the mirror out of the "
                "declaration first (its data stays on the old disk)",
            )
        if not half.marked and not cluster.takeover:
            _refuse_another_disk(wanted, name, half)
        create[name] = not (half.marked and half.status.attached) and device.needs_metadata(
            name,
            half.disk,
            path,
            marked=half.marked or half.kept,
            takeover=cluster.takeover,
        )
    if len(halves) == 1 and any(create.values()):
        raise Refused(
            "a mirror cannot be made while the other node is away: nobody could tell which data is the newer",
            node=next(iter(halves)),
            remedy="take `away` from the other node for the first `pulumi up`",
        )
    return create


def _refuse_interruption(wanted: Wanted, halves: Mapping[str, Half]) -> None:
    """Before the file is written: with a file that differs from what runs, the halves would not meet after a boot."""
    for name, half in halves.items():
        path = secret_file(wanted.nodes[name].settings)
        declared, there = wanted.nodes[name].settings.files[path].content, half.configuration.file.content
        if not half.status.configured or declared is None or there is None:
            continue
        if of_connection(there) != of_connection(declared):
            _refuse_while_used(
                wanted, name, {each: known.status for each, known in halves.items()}, "another connection"
            )


def _refuse_while_used(wanted: Wanted, name: str, statuses: Mapping[str, Status], needs: str) -> None:
    active = next((each for each, status in statuses.items() if status.role == "Primary"), None)
    if active:
        raise Refused(
            f"this change of {wanted.resource} needs {needs}, which would interrupt replication while {active} uses "
            "the volume",
            node=name,
            remedy="stop the service first, then run `pulumi up` again",
        )


def _refuse_another_disk(wanted: Wanted, name: str, half: Half) -> None:
    other = marks.differs(half.disk.identity, half.entries.get(marks.DISK))
    if other and half.disk.metadata:
        raise Refused(
            f"{wanted.device_on(name)} carries a mirror and is not the disk that this site's was made on: {other}",
            node=name,
            remedy=f"if it is that disk, grown or moved, take the mirror up on it (`drbdadm up {wanted.resource}`) and "
            "run this again; a new disk in its place has to be blank",
        )


async def _mark(cluster: Cluster, node: Node, half: Half, create: dict[str, bool]) -> None:
    """Write down whose disk this is, before anything is written on the disk."""
    identity = half.disk.identity
    if identity is None:
        return
    values = {PENDING: "the mirror is being made"}
    if MODULE not in half.entries:
        values[MODULE] = "loaded" if half.module else "absent"
    if not half.marked:
        origin = "yes" if create[node.name] or half.kept else "no"
        values |= {marks.DISK: marks.text(identity), MADE: origin}
    elif marks.differs(identity, half.entries.get(marks.DISK)):
        values[marks.DISK] = marks.text(identity)
    await cluster.journal(node).put(values)
    if half.kept:
        await marks.kept(cluster, node).drop([identity.device])


async def _settings(cluster: Cluster, node: Node, wanted: Wanted, half: Half) -> None:
    settings = plain(wanted.nodes[node.name].settings)
    await converge_settings(cluster, node, settings, plain_of(half, wanted.nodes[node.name].settings))
    if not half.module:
        await node.run(command("modprobe", "drbd"))


def plain_of(half: Half, settings: NodeSettings) -> NodeSettings:
    """What was read of the settings that are not the file with the secret."""
    path = secret_file(settings)
    files = {name: state for name, state in half.settings.files.items() if name != path}
    return half.settings.model_copy(update={"files": files})


async def _spread(cluster: Cluster, wanted: Wanted, halves: dict[str, Half]) -> None:
    states = {name: half.settings for name, half in wanted.nodes.items()}
    path = secret_file(next(iter(states.values())))
    await configuration.spread(
        cluster,
        path,
        {name: settings.files[path] for name, settings in states.items()},
        {name: half.configuration for name, half in halves.items()},
    )


async def _adjust(cluster: Cluster, wanted: Wanted, halves: dict[str, Half]) -> None:
    """Take the resource up where nobody manages it, and bring what runs in line with the file."""
    statuses = await read_statuses(cluster, wanted)
    for name in sorted(halves, key=lambda each: statuses[each].role == "Primary"):
        node = cluster.node(name)
        verbs = frozenset((await node.run(drbd.pending(wanted.resource))).stdout.split())
        if not verbs or (halves[name].managed == "yes" and not statuses[name].configured):
            continue
        if verbs & drbd.DISRUPTIVE:
            _refuse_while_used(wanted, name, statuses, f"`{', '.join(sorted(verbs & drbd.DISRUPTIVE))}`")
        await node.run(drbd.adm("adjust", wanted.resource))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take the mirror down and its configuration away; the data stays on the disks unless ``on_remove`` is wipe.

    Raises `Refused` while the volume is in use or Pacemaker manages it, and where a disk to be wiped has what is not
    this mirror's.
    """
    halves = await read_halves(cluster, wanted)
    mine = {name: half for name, half in halves.items() if half.claimed or half.marked}
    for name, half in mine.items():
        _check_unused(wanted, name, half)
        if _wiped(wanted, half):
            _check_ours(wanted, name, half.disk)
    await cluster.each(lambda node: _let_go(cluster, node, wanted, mine[node.name]), list(mine))
    await cluster.each(lambda node: _clean(cluster, node, wanted), list(halves))


def _check_unused(wanted: Wanted, name: str, half: Half) -> None:
    if half.managed == "unknown":
        raise Unknown("Pacemaker does not say whether it manages the mirror", node=name)
    if half.managed == "yes" and half.status.configured:
        raise Refused(
            f"Pacemaker still manages {wanted.resource}", node=name, remedy="remove it from the cluster first"
        )
    if half.mounts:
        raise Refused(f"{wanted.volume} is mounted at {', '.join(half.mounts)}", node=name, remedy="unmount it first")


def _made(half: Half) -> bool:
    return half.marked and half.entries.get(MADE) == "yes"


def _wiped(wanted: Wanted, half: Half) -> bool:
    return wanted.on_remove == "wipe" and _made(half)


def _check_ours(wanted: Wanted, name: str, disk: Disk) -> None:
    """The mark was made before the metadata, and tells nothing of what somebody has made on the disk since.

    Blank it may be: a run was cut off before it made anything, or after it wiped everything.
    """
    told = bool(disk.metadata or wanted.filesystem)
    foreign = [device.describe(each) for each in disk.content if not (told and _of_mirror(wanted, each))]
    found = [*disk.uses, *([f"it carries {', '.join(foreign)}, which is not this mirror's"] if foreign else [])]
    if found:
        path = wanted.device_on(name)
        raise Refused(
            f"{path} is not wiped as `on_remove` says: {'; '.join(found)}",
            node=name,
            remedy="see whose that is; once nothing on the disk is needed, free it yourself with "
            f"`wipefs --all {path}` and run this again",
        )


def _of_mirror(wanted: Wanted, signature: Signature) -> bool:
    if not wanted.filesystem:
        return signature.type in TYPES
    return signature.type == wanted.filesystem and signature.label in (wanted.label, MAKING)


async def _let_go(cluster: Cluster, node: Node, wanted: Wanted, half: Half) -> None:
    path = wanted.device_on(node.name)
    if _wiped(wanted, half):
        await node.run(drbd.wipe(wanted.resource, wanted.volume, path, half.disk.signatures))
        return
    if half.status.configured:
        await node.run(command("drbdsetup", "down", wanted.resource))
    if half.disk.identity is not None and _made(half):
        await marks.kept(cluster, node).put({path: marks.text(half.disk.identity)})
        cluster.progress(f"{node.name}: the data on {path} is kept")


async def _clean(cluster: Cluster, node: Node, wanted: Wanted) -> None:
    settings = wanted.nodes[node.name].settings
    journal = cluster.journal(node)
    entries = await journal.entries()
    if configuration.CONFIGURATION in entries:
        await configuration.restore(cluster, node, secret_file(settings), entries[configuration.CONFIGURATION])
    await remove_settings(cluster, node, plain(settings))
    if entries.get(MODULE) == "absent":
        await node.run(drbd.unload(wanted.volume))
    await journal.forget()
