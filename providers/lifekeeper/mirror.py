"""The DataKeeper mirror with its filesystem: made on blank disks only, extended over a communication path's addresses.

One line of LifeKeeper makes two resources, the mirror and the filesystem above it, and formats the disk. Cut off in the
middle it may leave one of the two: then what this site was making is deleted and made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused
from providers.contract import Absent, Observed, Present
from providers.lifekeeper import members, steps, views
from providers.lifekeeper.members import Kit, Member, extended, there
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step, Views
from providers.lifekeeper.views import Instance
from providers.storage import device, marks, mount_point
from providers.storage.device import Disk
from providers.storage.filesystem_types import TYPES
from providers.storage.mount_point import MountPoint

_SOURCE = "source of "


class Wanted(Member):
    """``device`` is the same path on both nodes; ``addresses``: node → its address of the replication path.

    ``hierarchy``: ``new`` formats, ``existing`` takes over the filesystem that is mounted. ``bitmap`` None: that is
    LifeKeeper's to choose. ``mount_points`` as in `providers.storage.filesystem`. ``kept``: node whose disk has the
    data of this mirror from before; a fact of the nodes, never declared.
    """

    device: str
    fstype: str
    mount_point: str
    fstag: str
    mode: Literal["synchronous", "asynchronous"]
    hierarchy: Literal["new", "existing"]
    addresses: dict[str, str]
    mount_points: dict[str, str | None]
    bitmap: str | None = None
    kept: str | None = None


def _create(wanted: Member, source: str) -> list[Step]:
    mirror = cast("Wanted", wanted)
    hierarchy = "existing" if mirror.kept else mirror.hierarchy
    values = {
        "tag": mirror.tag,
        "mode": mirror.mode,
        "device": mirror.device,
        "fstype": mirror.fstype,
        "mount_point": mirror.mount_point,
        "fstag": mirror.fstag,
        "hierarchy": hierarchy,
        "bitmap": mirror.bitmap,
    }
    made = there(mirror.tag, source)
    both = _both(source, mirror)
    again = Line(source, "lkcli resource delete", "Delete what was left half made", {"tag": mirror.tag})
    create = Line(source, "lkcli resource create dk", _PAGES[hierarchy], values)
    whole = [
        Step(again, lambda seen: both(seen) or not made(seen), fresh=False),
        Step(create, both, _fit(mirror, source, hierarchy)),
    ]
    if not mirror.kept:
        return whole
    page = f"Mount the filesystem that was kept on {mirror.device}"
    mount = system(source, page, "mount", "-t", mirror.fstype, mirror.device, mirror.mount_point)
    return [whole[0], Step(mount, both, fresh=False), whole[1]]


_PAGES = {
    "new": "Create Resource: Data Replication, Replicate New Filesystem",
    "existing": "Create Resource: Data Replication, Replicate Existing Filesystem",
}


def _both(source: str, mirror: Wanted) -> steps.Done:
    return lambda seen: {mirror.tag, mirror.fstag} <= seen[source].instances.keys()


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    mirror = cast("Wanted", wanted)
    far = mirror.nodes[target]
    values = {
        "tag": mirror.tag,
        "dest": target,
        "mode": mirror.mode,
        "laddr": mirror.addresses[source],
        "raddr": mirror.addresses[target],
        "fstag": mirror.fstag,
        "switchback": far.switchback if far else None,
        "target_priority": int(far.priority) if far and far.priority else None,
        "bitmap": mirror.bitmap,
    }
    line = Line(source, "lkcli resource extend dk", "Extend: Data Replication", values)
    parts = [extended(each, source, target) for each in (mirror.tag, mirror.fstag)]

    def whole(seen: Views) -> bool:
        return all(done(seen) for done in parts)

    may = _extendable(mirror, source, target)
    return [
        *members.equal(mirror, mirror.fstag, source, target),
        *_half_extended(mirror, source, target, whole, may),
        Step(line, whole, may),
    ]


def _half_extended(mirror: Wanted, source: str, target: str, whole: steps.Done, may: steps.Ready) -> list[Step]:
    """One of the two without the other cannot be extended again while LifeKeeper takes it for extended.

    Nothing is taken back unless the extension may follow: the pair would be left without what it had.
    """
    made: list[Step] = []
    for name, other in ((source, target), (target, source)):
        for tag in (mirror.fstag, mirror.tag):
            values = {"tag": tag, "system": other, "other_tag": tag, "equivalency": "SHARED"}
            line = Line(name, "eqv_remove", f"Take back what was left half extended of {tag}", values)
            same = (tag, other, tag)
            made.append(
                Step(
                    line,
                    lambda seen, name=name, same=same: whole(seen) or same not in seen[name].equivalents,
                    may,
                    fresh=False,
                )
            )
    return made


# What must be so before anything is written on a disk


def _fit(mirror: Wanted, source: str, hierarchy: str) -> steps.Ready:
    async def ready(cluster: Cluster, seen: Views) -> None:
        del seen
        disks = await _disks(cluster, mirror)
        for name, disk in disks.items():
            if name != source or hierarchy == "new":
                await _refuse_used(cluster, mirror, name, disk)
        if hierarchy == "existing" and not any(mirror.mount_point in use for use in disks[source].uses):
            raise Refused(
                f"{mirror.device} is not mounted at {mirror.mount_point}, so there is no filesystem to take over",
                node=source,
                remedy="mount it there, or declare `lifekeeper.replication.hierarchy: new` with a blank disk",
            )
        for name, disk in disks.items():
            if disk.identity is not None:
                await cluster.journal(name).put({marks.DISK: marks.text(disk.identity)})

    return ready


def _extendable(mirror: Wanted, source: str, target: str) -> steps.Ready:
    alive = steps.extendable(mirror.tag, source, target)

    async def ready(cluster: Cluster, seen: Views) -> None:
        await alive(cluster, seen)
        disk = (await _disks(cluster, mirror))[target]
        await _refuse_used(cluster, mirror, target, disk)
        if disk.identity is not None:
            await cluster.journal(target).put({marks.DISK: marks.text(disk.identity)})

    return ready


async def _disks(cluster: Cluster, mirror: Wanted) -> dict[str, Disk]:
    async def look(node: Node) -> Disk:
        listed, signed = await node.batch(device.read(mirror.device))
        return device.parse(mirror.device, "", listed.stdout, signed.stdout)

    return await cluster.each(look, list(mirror.nodes))


async def _refuse_used(cluster: Cluster, mirror: Wanted, name: str, disk: Disk) -> None:
    """A disk that is not blank is this site's own, by the journal's word and with nothing else on it, or refused."""
    if disk.identity is None:
        raise Refused(f"there is no block device {mirror.device}", node=name, remedy="check `mirror.device`")
    if disk.uses:
        raise Refused(
            f"{mirror.device} is in use: {', '.join(disk.uses)}", node=name, remedy="declare a disk that is not in use"
        )
    if not disk.signatures:
        return
    own = (await cluster.journal(name).entries()).get(marks.DISK)
    kept = (await marks.kept(cluster, cluster.node(name)).entries()).get(mirror.device)
    known = all(each.type in (*TYPES, "linux_raid_member") for each in disk.signatures)
    if known and marks.is_marked(disk.identity, own, kept):
        return
    kinds = ", ".join(sorted({f"{each.type} {each.label}".strip() for each in disk.signatures}))
    raise Refused(
        f"{mirror.device} is not blank: it carries {kinds}, and making a mirror would destroy that",
        node=name,
        remedy="declare a blank disk, or free this one yourself with `wipefs --all` once its data is elsewhere",
    )


# Reading


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """The id is the device (seen in SIOS's scripts). Mode and bitmap are in bytes of the info that nobody published."""
    del wanted, node
    return {"device": instance.id if instance.id.startswith("/dev/") else None}


KIT = Kit(_create, _extend, _properties, "scsi", "netraid")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The mirror and the bare mount point on each node."""
    observed = await members.observe(cluster, wanted, KIT)
    if isinstance(observed, Absent):
        return observed
    bare = {name: each.state for name, each in (await _bare(cluster, wanted)).items()}
    return Present(observed.values.model_copy(update={"mount_points": bare}), observed.facts)


async def _bare(cluster: Cluster, wanted: Wanted) -> dict[str, MountPoint]:
    look = mount_point.read(wanted.mount_point)
    told = await cluster.each(lambda node: node.run(look), list(wanted.mount_points))
    return {name: mount_point.parse(answer.stdout) for name, answer in told.items()}


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Guard the mount points, make it on blank disks, extend it; data of this site from before is taken over."""
    for name, bare in (await _bare(cluster, wanted)).items():
        state = wanted.mount_points[name]
        await mount_point.converge(cluster, cluster.node(name), wanted.mount_point, state, bare)
    kept = await _kept(cluster, wanted)
    await members.converge(cluster, wanted.model_copy(update={"kept": kept or None}), KIT, source=kept)
    for name in wanted.nodes:
        await marks.kept(cluster, cluster.node(name)).drop([wanted.device, f"{_SOURCE}{wanted.device}"])


async def _kept(cluster: Cluster, wanted: Wanted) -> str:
    """The node that had the newest data when the mirror was removed and its data kept; '' if there is none."""
    seen = await views.read(cluster, list(wanted.nodes))
    if any(wanted.tag in view.instances for view in seen.values()):
        return ""
    for name in wanted.nodes:
        entries = await marks.kept(cluster, cluster.node(name)).entries()
        if entries.get(f"{_SOURCE}{wanted.device}") == name:
            return name
    return ""


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Delete the mirror and its filesystem's resource if this site made them; the data stays on both disks."""
    entries = {name: await cluster.journal(name).entries() for name in wanted.nodes}
    if any(known.get(members.MADE) == "yes" for known in entries.values()):
        await _keep(cluster, wanted, entries)
    await members.remove(cluster, wanted, above=wanted.fstag, forget=False)
    for name in wanted.nodes:
        if not any(view.state(wanted.tag) for view in (await members.read(cluster, wanted)).values()):
            await mount_point.remove(cluster, cluster.node(name), wanted.mount_point)
        await cluster.journal(name).forget()


async def _keep(cluster: Cluster, wanted: Wanted, entries: Mapping[str, Mapping[str, str]]) -> None:
    seen = await members.read(cluster, wanted)
    if all(wanted.tag not in view.instances for view in seen.values()):
        return
    source = members.source_of(wanted, seen)
    for name, known in entries.items():
        if text := known.get(marks.DISK):
            of = {f"{_SOURCE}{wanted.device}": source} if name == source else {}
            await marks.kept(cluster, cluster.node(name)).put({wanted.device: text, **of})
            cluster.progress(f"{name}: the data on {wanted.device} is kept")


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return members.lines(wanted, KIT)
