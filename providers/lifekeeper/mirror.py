"""The DataKeeper mirror with its filesystem: made on blank disks only, extended over a communication path's addresses.

One line of LifeKeeper makes two resources, the mirror and the filesystem above it, and formats the disk. Cut off in the
middle it may leave one of the two: then what this site was making is deleted and made again. Whose data is on the disks
is for `providers.lifekeeper.mirror_data` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import Absent, Observed, Present
from providers.lifekeeper import filesystem, making, members, mirror_data, mirror_info, remounting, removal, steps
from providers.lifekeeper.making import extended, there
from providers.lifekeeper.mirror_data import Wanted
from providers.lifekeeper.resource import Kit, Member, Unlike
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step, Views
from providers.lifekeeper.views import Instance, View
from providers.storage import mount_point
from providers.storage.mount_point import MountPoint


def _create(wanted: Member, source: str) -> list[Step]:
    mirror = cast("Wanted", wanted)
    hierarchy = "existing" if mirror.kept else mirror.hierarchy
    made = there(mirror.tag, source)
    both = _both(source, mirror)
    again = Line(source, "lkcli resource delete", "Delete what was left half made", {"tag": mirror.tag})
    create = _creation(mirror, source, hierarchy)
    whole = [
        Step(again, lambda seen: both(seen) or not made(seen), mirror_data.left_by_us(mirror, source), fresh=False),
        Step(create, both, mirror_data.fit(mirror, source, hierarchy)),
    ]
    if hierarchy == "new":
        return whole
    disk, may = mirror.device_on(source), remounting.remountable(mirror, source)
    page = f"Mount the filesystem that {'was kept' if mirror.kept else 'is'} on {disk}"
    mount = system(source, page, "mount", "-t", mirror.fstype, disk, mirror.mount_point)
    return [whole[0], Step(mount, both, may, fresh=False, unless=mirror_data.mounted(mirror, source)), whole[1]]


def _creation(mirror: Wanted, source: str, hierarchy: str) -> Line:
    """`lkcli`, or the kit's own script, in whose line alone SIOS has published the option for the bitmap.

    What else that script takes is known of a new filesystem only.
    """
    values = {
        "tag": mirror.tag,
        "mode": mirror.mode,
        "device": mirror.device_on(source),
        "fstype": mirror.fstype,
        "mount_point": mirror.mount_point,
        "fstag": mirror.fstag,
        "bitmap": mirror.bitmap,
    }
    page = _PAGES[hierarchy]
    if mirror.bitmap and hierarchy == "new" and mirror.route == "documented":
        return Line(source, "netraid create", page, {**values, **_PUBLISHED})
    return Line(source, "lkcli resource create dk", page, {**values, "hierarchy": hierarchy})


_PUBLISHED = {
    "hierarchy": "Replicate New Filesystem",
    "switchback": "intelligent",
    "x": "",
    "e": "",
    "z": "no",
    "w": "",
}
"""As in SIOS's script: what four of the options mean is unknown, and above a mirror there is no other switchback."""
_PAGES = {
    "new": "Create Resource: Data Replication, Replicate New Filesystem",
    "existing": "Create Resource: Data Replication, Replicate Existing Filesystem",
}


def _both(source: str, mirror: Wanted) -> steps.Done:
    return lambda seen: {mirror.tag, mirror.fstag} <= seen[source].instances.keys()


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    mirror = cast("Wanted", wanted)
    far, disk = mirror.nodes[target], mirror.device_on(target)
    values = {
        "tag": mirror.tag,
        "dest": target,
        "mode": mirror.mode,
        "laddr": mirror.addresses[source],
        "raddr": mirror.addresses[target],
        "fstag": mirror.fstag,
        "switchback": far.switchback if far else None,
        "target_priority": making.target_priority(mirror, target),
        # Nobody has seen the option: it is said only where LifeKeeper would not take the right disk without it.
        "device": None if disk == mirror.device_on(source) else disk,
        "bitmap": mirror.bitmap,
    }
    line = Line(source, "lkcli resource extend dk", "Extend: Data Replication", values)
    parts = [extended(each, source, target) for each in (mirror.tag, mirror.fstag)]

    def whole(seen: Views) -> bool:
        return all(done(seen) for done in parts)

    may = mirror_data.extendable(mirror, source, target)
    return [
        *making.equal(mirror, mirror.fstag, source, target),
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


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`); not all of this is shown by a list."""
    # A node that goes away or comes back changes no address.
    both = previous.addresses.keys() & wanted.addresses.keys()
    before, after = (
        each.model_copy(update={"addresses": {name: each.addresses[name] for name in sorted(both)}})
        for each in (previous, wanted)
    )
    return (
        _moved(before, after)
        or members.fixed(
            before,
            after,
            fstag="the filesystem's tag",
            mount_point="`mirror.mount_point`",
            fstype="`mirror.filesystem`",
            mode="`lifekeeper.replication.mode`",
        )
        or mirror_info.refusal(before, after)
    )


def _moved(previous: Wanted, wanted: Wanted) -> str | None:
    """A node that has lost the mirror, as far as was seen, or never had it, gets it on whichever disk is declared."""
    for name in wanted.nodes:
        if previous.nodes.get(name) is None or previous.device_on(name) == wanted.device_on(name):
            continue
        before, after = (each.model_copy(update={"device": each.device_on(name)}) for each in (previous, wanted))
        if not previous.devices and not wanted.devices:
            return members.fixed(before, after, device="`mirror.device`")
        told = members.fixed(before, after, device=f"the disk on {name}")
        return f"{told}. If {name} was set up anew, `pulumi up --refresh` sees that it has no mirror yet, and makes it"
    return None


# Reading


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """The id is the device (seen in SIOS's scripts), by whichever of the disk's names.

    Where the mode would stand nobody has published.
    """
    declared = cast("Wanted", wanted).device_on(node)
    named = declared if declared in instance.names else instance.id
    return {"device": named if named.startswith("/dev/") else None}


def _other_type(wanted: Member, view: View) -> Unlike | None:
    """What the resource of the filesystem says to be on the mirror; nothing is formatted because of it."""
    mirror = cast("Wanted", wanted)
    volume = view.instances.get(mirror.fstag)
    found = filesystem.type_of(volume) if volume is not None else None
    if found is None or found == mirror.fstype:
        return None
    remedy = (
        f"nothing is formatted for that. See what lies there (`lsblk --fs` on the node where it is mounted): if it is "
        f"{mirror.fstype}, correct {mirror.fstag} in LifeKeeper's own interface; if it is {found}, declare that as "
        "`mirror.filesystem`"
    )
    return Unlike(found, mirror.fstype, remedy)


KIT = Kit(
    _create,
    _extend,
    _properties,
    "scsi",
    "netraid",
    along={"filesystem": lambda wanted: cast("Wanted", wanted).fstag},
    by_hand={"filesystem_type": _other_type, **mirror_info.BY_HAND},
)


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
    seen, kept = await members.read(cluster, wanted), ""
    if any(_both(name, wanted)(seen) for name in wanted.nodes):
        # Nothing is formatted or taken over any more.
        await mirror_data.made(cluster, wanted, seen)
    elif kept := await mirror_data.kept_by(cluster, wanted):
        mirror_data.refuse_elsewhere(wanted, seen, kept)
    await members.converge(cluster, wanted.model_copy(update={"kept": kept or None}), KIT, source=kept)
    await mirror_data.made(cluster, wanted, await members.read(cluster, wanted))
    await members.refuse_left(cluster, wanted, KIT)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Delete the mirror and its filesystem's resource if this site made them; the data stays on both disks."""
    entries = {name: await cluster.journal(name).entries() for name in wanted.nodes}
    if any(known.get(members.MADE) == "yes" for known in entries.values()):
        await mirror_data.keep(cluster, wanted, entries)
    await removal.remove(cluster, wanted, above=wanted.fstag, forget=False)
    await mirror_data.removed(cluster, wanted)
    for name in wanted.nodes:
        if not any(view.state(wanted.tag) for view in (await members.read(cluster, wanted)).values()):
            await mount_point.remove(cluster, cluster.node(name), wanted.mount_point)
        await cluster.journal(name).forget()


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return making.lines(wanted, KIT)
