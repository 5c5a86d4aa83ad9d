"""Whose data is on the mirror's disks: nothing is formatted, overwritten or deleted that may be wanted.

That a run is making the mirror is in the journal of its source (`BEGUN`) from before the line until the mirror is
whole. Only then may a disk that is not blank be formatted, or one that is taken over be mounted again
(`providers.lifekeeper.remounting`); whatever else a disk carries, this site's own data above all, is somebody's. When a
mirror is removed, both disks are marked, and the one that had the newest data as the source.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused, refuse_all
from providers.lifekeeper import extending, members, split, steps
from providers.lifekeeper.resource import Member
from providers.lifekeeper.steps import Guarded, Views
from providers.lifekeeper.views import IN_SERVICE
from providers.storage import device, fstab, marks
from providers.storage.device import Disk
from providers.storage.filesystem_types import TYPES

_SOURCE = "source of "
"""Among the marks of kept disks, on one node only: it had the newest data when the mirror was removed."""
BEGUN = "pending create"
"""Begins like every entry for which the next run is to go on (`members.PENDING`). Its value: how it is being made."""
NEW, KEPT = "new", "kept"
"""Values of `BEGUN`: formatting, and taking over data that outlived its declaration. `taking_over` makes the third."""


class Wanted(Member):
    """``device`` is the disk's path; ``devices``: node → it, of all nodes where it is not ``device`` on each, else of
    none; ``addresses``: node → its address of the replication path.

    ``hierarchy``: ``new`` formats, ``existing`` takes over the filesystem that is mounted. ``bitmap`` None: that is
    LifeKeeper's to choose. ``mount_points`` as in `providers.storage.filesystem`. ``kept``: node whose disk has the
    data of this mirror from before; a fact of the nodes, never declared.
    """

    device: str
    devices: dict[str, str] = Field(default_factory=dict[str, str])
    fstype: str
    mount_point: str
    fstag: str
    mode: Literal["synchronous", "asynchronous"]
    hierarchy: Literal["new", "existing"]
    addresses: dict[str, str]
    mount_points: dict[str, str | None]
    bitmap: str | None = None
    kept: str | None = None

    def device_on(self, node: str) -> str:
        """The path of the disk on ``node``."""
        return self.devices.get(node, self.device)


# Before anything is written on a disk, or deleted


def left_by_us(mirror: Wanted, source: str) -> steps.Ready:
    """A mirror without its filesystem is deleted only where this site was making the two when it was cut off."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        del seen
        if not (await cluster.journal(source).entries()).get(BEGUN):
            raise Refused(
                f"the mirror {mirror.tag} is there without the filesystem {mirror.fstag}, and no run of this site was "
                "making them, so its data may be somebody's",
                node=source,
                remedy=f"make the resource {mirror.fstag} above it in LifeKeeper's own interface, or delete the mirror "
                "there once its data is elsewhere",
            )

    return ready


def mounted(mirror: Wanted, source: str) -> Callable[[Cluster], Awaitable[bool]]:
    """Asks whether the mirror's disk is mounted on ``source``, where the mirror's filesystem belongs."""

    async def ask(cluster: Cluster) -> bool:
        return _is_mounted(mirror, (await read_disks(cluster, mirror))[source])

    return ask


def _is_mounted(mirror: Wanted, disk: Disk) -> bool:
    return f"mounted at {mirror.mount_point}" in disk.uses


def fit(mirror: Wanted, source: str, hierarchy: str) -> steps.Ready:
    """The disks may become this mirror; that it is being made is noted then. Raises `Refused`."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        del seen
        disks = await read_disks(cluster, mirror)
        begun = await _begun(cluster, mirror)
        for name, disk in disks.items():
            if hierarchy == "new":
                await _refuse_used(cluster, mirror, name, disk, ours=NEW in (begun[name], begun[source]))
            elif name != source:
                await _refuse_used(cluster, mirror, name, disk)
        if hierarchy == "existing" and not _is_mounted(mirror, disks[source]):
            raise nothing_mounted(mirror, source)
        if hierarchy == "existing":
            refuse_all(await _mounted_at_boot(cluster, mirror))
        refuse_all([each for name in disks for each in _smaller(mirror, source, name, disks)])
        for name, disk in disks.items():
            if disk.identity is not None:
                await cluster.journal(name).put({marks.DISK: marks.text(disk.identity)})
        begins = NEW if hierarchy == "new" else KEPT if mirror.kept else taking_over(mirror)
        await cluster.journal(source).put({BEGUN: begins})

    return ready


def taking_over(mirror: Wanted) -> str:
    """Value of `BEGUN` for a declared ``existing``: which filesystem it is, by its type."""
    return f"existing {mirror.fstype}"


def nothing_mounted(mirror: Wanted, source: str, but: str = "") -> Refused:
    """What says that nothing can be taken over on ``source``; ``but``: what else is known of it, to be read on."""
    told = f"{mirror.device_on(source)} is not mounted at {mirror.mount_point}"
    return Refused(
        f"{told}, so there is no filesystem to take over{but}",
        node=source,
        remedy="mount it there, or declare `lifekeeper.replication.hierarchy: new` with a blank disk",
    )


def extendable(mirror: Wanted, source: str, target: str) -> Guarded:
    """The disk on ``target`` may be overwritten with what is on ``source``. Raises `Refused`."""
    alive = steps.extendable(mirror.tag, source, target)

    async def ready(cluster: Cluster, seen: Views) -> None:
        await alive(cluster, seen)
        disks = await read_disks(cluster, mirror)
        disk = disks[target]
        await _refuse_used(cluster, mirror, target, disk)
        refuse_all(_smaller(mirror, source, target, disks))
        if disk.signatures and _mark(mirror, target) in await marks.kept(cluster, cluster.node(target)).entries():
            raise Refused(
                f"{mirror.device_on(target)} had the newest data of this site when its mirror was removed, and the "
                "mirror was made without it: extending it would destroy that",
                node=target,
                remedy="bring what is needed of it elsewhere, then free it yourself with `wipefs --all`",
            )
        await extending.ask_kits(cluster, seen, mirror.tag, source, target)
        if disk.identity is not None:
            await cluster.journal(target).put({marks.DISK: marks.text(disk.identity)})

    return Guarded(extending.untied(mirror, source, target), ready)


async def _mounted_at_boot(cluster: Cluster, mirror: Wanted) -> list[Refused]:
    """What is mounted by hand today may stand in fstab(5) too; a boot would mount it then before LifeKeeper starts, and
    writes would go past the mirror, or LifeKeeper find the disk or the mount point taken.
    """

    async def look(node: Node) -> list[fstab.Line]:
        answer = await node.run(fstab.read(mirror.device_on(node.name), mirror.mount_point))
        return [line for line in fstab.parse(answer.stdout) if line.at_boot]

    found = await cluster.each(look, list(mirror.nodes))
    return [
        Refused(
            f"{fstab.PATH} has {line.source} mounted at {line.target}: a boot would do that before LifeKeeper starts, "
            f"whose the mirror on {mirror.device_on(name)} and {mirror.mount_point} are to be",
            node=name,
            remedy="take that line out, or give it the option `noauto` and not `x-systemd.automount`; then "
            "`systemctl daemon-reload`",
        )
        for name, lines in found.items()
        for line in lines
    ]


def _smaller(mirror: Wanted, source: str, name: str, disks: Mapping[str, Disk]) -> list[Refused]:
    """DataKeeper extends a mirror only to a disk that is not smaller (SIOS's manuals); said before it is made."""
    here, there = disks[name].identity, disks[source].identity
    if here is None or there is None or int(here.size) >= int(there.size):
        return []
    return [
        Refused(
            f"{mirror.device_on(name)} has {here.size} bytes, and {mirror.device_on(source)} on {source} {there.size}: "
            "DataKeeper extends a mirror only to a disk that is not smaller",
            node=name,
            remedy="declare a disk there that is at least as large (`mirror.device`, or `mirror_device` of this node "
            "under `nodes`), or on both a partition or volume of one size",
        )
    ]


async def _begun(cluster: Cluster, mirror: Wanted) -> dict[str, str]:
    """Node → how it was making the mirror when a run was cut off, '' where it was not."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(mirror.nodes))
    return {name: known.get(BEGUN, "") for name, known in entries.items()}


async def read_disks(cluster: Cluster, mirror: Wanted) -> dict[str, Disk]:
    """What stands on the mirror's disk of each node."""

    async def look(node: Node) -> Disk:
        path = mirror.device_on(node.name)
        listed, signed = await node.batch(device.read(path))
        return device.parse(path, "", listed.stdout, signed.stdout)

    return await cluster.each(look, list(mirror.nodes))


async def _refuse_used(cluster: Cluster, mirror: Wanted, name: str, disk: Disk, *, ours: bool = True) -> None:
    """A disk that is not blank is this site's own, by the journal's word and with nothing else on it, or refused.

    Not ``ours``: it is refused even then, for the mirror that it was of is gone and nobody else has its data.
    """
    path = mirror.device_on(name)
    if disk.identity is None:
        raise Refused(f"there is no block device {path}", node=name, remedy=device.ASTRAY)
    entries = await cluster.journal(name).entries()
    if disk.uses:
        left = "; a run that was cut off may have left this: see /proc/mdstat and `mdadm --stop`"
        raise Refused(
            f"{path} is in use: {', '.join(disk.uses)}",
            node=name,
            remedy=f"declare a disk that is not in use{left if BEGUN in entries else ''}",
        )
    if not disk.signatures:
        return
    kept = (await marks.kept(cluster, cluster.node(name)).entries()).get(path)
    known = all(each.type in (*TYPES, "linux_raid_member") for each in disk.signatures)
    marked = known and marks.is_marked(disk.identity, entries.get(marks.DISK), kept)
    if marked and ours:
        return
    kinds = ", ".join(sorted({f"{each.type} {each.label}".strip() for each in disk.signatures}))
    if marked:
        raise Refused(
            f"{path} carries this site's own data ({kinds}), and the mirror that it was of is gone from "
            "LifeKeeper: making it anew would destroy that",
            node=name,
            remedy=f"mount the newest half at {mirror.mount_point} on the most preferred node and declare "
            "`lifekeeper.replication.hierarchy: existing`; or, where nobody needs it, `wipefs --all` on both nodes",
        )
    raise Refused(
        f"{path} is not blank: it carries {kinds}, and making a mirror would destroy that",
        node=name,
        remedy="declare a blank disk, or free this one yourself with `wipefs --all` once its data is elsewhere",
    )


# What was kept when the mirror was removed


def _mark(wanted: Wanted, node: str) -> str:
    return f"{_SOURCE}{wanted.device_on(node)}"


async def kept_by(cluster: Cluster, wanted: Wanted) -> str:
    """The node that had the newest data when the mirror was removed and its data kept; '' if there is none.

    Raises `Refused` where data was kept and no node, or more than one, says that it had the newest.
    """
    for name, begun in (await _begun(cluster, wanted)).items():
        if begun:
            return name if begun == KEPT else ""
    entries = await cluster.each(lambda node: marks.kept(cluster, node).entries(), list(wanted.nodes))
    sources = [name for name, known in entries.items() if known.get(_mark(wanted, name)) == name]
    having = [name for name, known in entries.items() if wanted.device_on(name) in known]
    if wanted.hierarchy == "existing" or not having:
        return ""
    if len(sources) != 1:
        told = " and ".join(sources) or "none of them"
        disks = " and ".join(f"{wanted.device_on(name)} of {name}" for name in having)
        raise Refused(
            f"data of this site was kept on {disks}, and {told} is known to have had "
            "the newest, so nobody can tell which half to take over",
            node=having[0],
            remedy="declare a node that is away back; or mount the newest half at "
            f"{wanted.mount_point} on the most preferred node and declare `lifekeeper.replication.hierarchy: existing`",
        )
    path = wanted.device_on(sources[0])
    disk = (await read_disks(cluster, wanted))[sources[0]]
    if not marks.is_marked(disk.identity, entries[sources[0]].get(path)):
        raise Refused(
            f"the newest data of this site was kept on {path}, and another disk is there",
            node=sources[0],
            remedy="bring that disk back; or mount the other node's half as for "
            "`lifekeeper.replication.hierarchy: existing`, and declare that",
        )
    return sources[0]


def refuse_elsewhere(wanted: Wanted, seen: Views, kept: str) -> None:
    """The mirror is made where the service runs, and taken over where its data is. Raises `Refused`."""
    source = members.source_of(wanted, seen, kept)
    if source != kept:
        raise Refused(
            f"the service runs on {source}, and the newest data that was kept on {wanted.device_on(kept)} is on {kept}",
            node=kept,
            remedy=f"move the service there first: `squid-ha switchover STACK --to {kept}`",
        )


async def keep(cluster: Cluster, wanted: Wanted, entries: Mapping[str, Mapping[str, str]]) -> None:
    """Mark both disks, and as the source the node on which the mirror is in service.

    In service nowhere, a mark from before (a removal that was cut off) stands; without one nobody can tell.
    """
    seen = await members.read(cluster, wanted)
    if all(wanted.tag not in view.instances for view in seen.values()):
        return
    active = [name for name, view in seen.items() if view.state(wanted.tag) in IN_SERVICE]
    for name, known in entries.items():
        mark, path = _mark(wanted, name), wanted.device_on(name)
        journal = marks.kept(cluster, cluster.node(name))
        if text := known.get(marks.DISK):
            await journal.put({path: text, **({mark: name} if active == [name] else {})})
            cluster.progress(f"{name}: the data on {path} is kept")
        if active and active != [name]:
            await journal.drop([mark])


async def removed(cluster: Cluster, wanted: Wanted) -> None:
    """Once the mirror is gone the source's mark says which half counts, and no half is given up any more.

    Not before: of a removal that is refused or cut off, the mirror stays, and with it what a person has decided.
    """
    if any(view.state(wanted.tag) for view in (await members.read(cluster, wanted)).values()):
        return
    known = await cluster.each(lambda node: marks.kept(cluster, node).entries(), list(wanted.nodes))
    if any(_mark(wanted, name) in entries for name, entries in known.items()):
        await cluster.each(lambda node: marks.kept(cluster, node).drop(split.MARKS), list(wanted.nodes))


async def made(cluster: Cluster, wanted: Wanted, seen: Views) -> None:
    """Where the mirror is, what was kept is in it again, or overwritten by it; of a new one no half is given up.

    `BEGUN` goes last: until then a next run comes here.
    """
    there = [name for name in wanted.nodes if wanted.tag in seen[name].instances]
    given_up = split.MARKS if any((await _begun(cluster, wanted)).values()) else ()

    async def forget(node: Node) -> None:
        await marks.kept(cluster, node).drop([wanted.device_on(node.name), _mark(wanted, node.name), *given_up])

    await cluster.each(forget, there)
    await cluster.each(lambda node: cluster.journal(node).drop([BEGUN]), list(wanted.nodes))
