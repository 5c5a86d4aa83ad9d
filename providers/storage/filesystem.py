"""The filesystem on the mirror: made once on a blank volume, read where it is mounted; its mount point guarded.

It is made under the label `filesystem_types.MAKING` and gets its own label last, so that one that was cut off in the
making can be told from any other. The volume is promoted only while nothing manages it and both halves are connected.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Refused, Unknown
from providers.contract import PENDING, Absent, Observed, Present, State
from providers.storage import device, drbd, mount_options, mount_point, promotion, status, volume
from providers.storage import filesystem_types as types
from providers.storage.mount_point import MountPoint
from providers.storage.status import Status
from providers.storage.volume import Mount

MADE = "made"


class Wanted(State):
    """``mount_points``: node → ``mode owner:group flags`` of the bare directory (``0000 root:root i``; i: chattr +i),
    so that nothing can write below it while the volume is elsewhere.

    ``directories`` and ``files``: path below the mount point → ``mode owner:group``, on the volume itself, read on the
    active node. ``options``: how it is mounted there, as far as `mount_options.shown` tells; '' as the type does it.
    Whoever mounts it again has to see to the options anew.
    """

    resource: str
    volume: str
    type: str
    label: str
    mount_point: str
    mount_points: dict[str, str | None]
    directories: dict[str, str | None]
    files: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])
    options: str = ""


@dataclass(frozen=True)
class View:
    """What one node shows of the volume."""

    status: Status
    mounts: tuple[Mount, ...]
    bare: MountPoint
    managed: str
    entries: dict[str, str]


@dataclass(frozen=True)
class Content:
    """The filesystem as it is, read on ``node``; ``mounted`` tells whether it is in use there. '' for none.

    ``options`` are those that it is mounted with, None where it is not.
    """

    node: str
    mounted: bool
    type: str
    label: str
    directories: dict[str, str | None]
    files: dict[str, str | None]
    options: str | None


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`).

    The engine would mount it elsewhere while Squid's configuration still names the old place, or the other way round.
    """
    if previous.type != wanted.type:
        return (
            f"the mirror has a filesystem of type {previous.type}, and nothing makes {wanted.type} of it in place. "
            f"Declare {previous.type} again; or copy the logs elsewhere, run `pulumi destroy`, blank both disks and "
            f"run `pulumi up`"
        )
    if previous.mount_point == wanted.mount_point:
        return None
    return (
        f"the mirror is mounted at {previous.mount_point}, where Squid writes its log; it does not move to "
        f"{wanted.mount_point} in place. See that `on_remove` is `keep`, take `mirror` (and its `rotation`) out of the "
        f"file and run `pulumi up` (the data stays on the disks), then put them in with the new mount point and run "
        f"`pulumi up` again"
    )


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The filesystem where it is mounted, else at rest. Raises `Unknown` where no half can be read."""
    views = await _views(cluster, wanted)
    content = await _content(cluster, wanted, views)
    if content is None:
        if any(MADE in view.entries for view in views.values()):
            raise Unknown(
                f"the filesystem on {wanted.volume} is not mounted, and no node has an up-to-date half to read it from"
            )
        return Absent()
    if not content.type:
        return Absent()
    values = wanted.model_copy(
        update={
            "type": content.type,
            "label": content.label,
            "mount_points": {name: view.bare.state for name, view in views.items()},
            "directories": content.directories,
            "files": content.files,
            "options": wanted.options if content.options is None else content.options,
        }
    )
    return Present(values, {"mounted": content.node if content.mounted else ""})


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Make filesystem, directories and mount points as wanted; never over anything that is there.

    Raises `Refused` for a volume with another filesystem, or one that is used by others.
    """
    views = await _views(cluster, wanted)
    content = await _content(cluster, wanted, views)
    _judge(wanted, views, content)
    for name, view in views.items():
        await mount_point.converge(
            cluster, cluster.node(name), wanted.mount_point, wanted.mount_points[name], view.bare
        )
    if content is not None and content.mounted:
        await _fix_entries(cluster, wanted, content)
        await _fix_options(cluster, wanted, content)
    elif content is None or not _complete(wanted, content):
        await _make(cluster, wanted, views)
    else:
        await _demote_leftover(cluster, wanted, views)
    await cluster.each(lambda node: _done(cluster, node), list(views))


def _complete(wanted: Wanted, content: Content) -> bool:
    live = (content.type, content.label, content.directories, content.files)
    return live == (wanted.type, wanted.label, wanted.directories, wanted.files)


def _judge(wanted: Wanted, views: dict[str, View], content: Content | None) -> None:
    """All guards, before any change."""
    if wanted.type not in types.TYPES:
        raise Refused(f"a filesystem of type {wanted.type} cannot be made; known are {', '.join(types.TYPES)}")
    for name, view in views.items():
        for mount in view.mounts:
            if (mount.source == wanted.volume) != (mount.target == wanted.mount_point):
                raise Refused(f"{mount.source} is mounted at {mount.target}", node=name, remedy="unmount it first")
    if content is None or not content.type:
        return
    interrupted = content.label == types.MAKING and any(PENDING in view.entries for view in views.values())
    if not interrupted and (content.type, content.label) != (wanted.type, wanted.label):
        raise Refused(
            f"{wanted.volume} has a filesystem of type {content.type} labelled {content.label or 'nothing'}, "
            f"not {wanted.type} labelled {wanted.label}; it is left as it is",
            node=content.node,
            remedy="declare the filesystem that is there, or another disk",
        )


async def _fix_entries(cluster: Cluster, wanted: Wanted, content: Content) -> None:
    directories = {path: state for path, state in wanted.directories.items() if content.directories[path] != state}
    files = {path: state for path, state in wanted.files.items() if content.files[path] != state}
    if directories or files:
        make = volume.make_entries(wanted.volume, "", wanted.mount_point, directories, files)
        await cluster.node(content.node).run(make)


async def _fix_options(cluster: Cluster, wanted: Wanted, content: Content) -> None:
    """Without unmounting: the service goes on."""
    if content.options != wanted.options:
        cluster.progress(f"{content.node}: mounting {wanted.mount_point} with {wanted.options or 'no options'}")
        remount = mount_options.remount(wanted.type, wanted.mount_point, wanted.options)
        await cluster.node(content.node).run(remount)


async def _make(cluster: Cluster, wanted: Wanted, views: dict[str, View]) -> None:
    """Promote a half for a moment and make on it what is missing."""
    unclear = [name for name, view in views.items() if view.managed != "no"]
    if unclear:
        raise Refused(
            f"the filesystem has to be changed while it is not mounted, but Pacemaker manages {wanted.resource}",
            node=unclear[0],
            remedy="start the service, so that the volume is mounted, and run `pulumi up` again",
        )
    name = promotion.choose(wanted.resource, {name: view.status for name, view in views.items()})
    node = cluster.node(name)
    await cluster.each(lambda each: cluster.journal(each).put({PENDING: f"{wanted.type} {wanted.label}"}), list(views))
    await promotion.promote(node, wanted.resource)
    try:
        await _fill(cluster, node, wanted)
    except HostError:
        await promotion.demote_quietly(node, wanted.resource)
        raise
    await promotion.demote(node, wanted.resource)


async def _demote_leftover(cluster: Cluster, wanted: Wanted, views: dict[str, View]) -> None:
    """A run that was cut off after its last write left a half primary."""
    for name, view in views.items():
        if PENDING in view.entries and view.status.role == "Primary" and view.managed == "no":
            await promotion.demote(cluster.node(name), wanted.resource)


async def _fill(cluster: Cluster, node: Node, wanted: Wanted) -> None:
    """On the promoted half: filesystem if there is none, label last, then directories. Looks before it writes."""
    found = await node.run(device.read_signatures(wanted.volume))
    signatures = device.parse_signatures(found.stdout)
    unfinished = bool(signatures) and all((each.type, each.label) == (wanted.type, types.MAKING) for each in signatures)
    if not signatures or unfinished:
        cluster.progress(f"{node.name}: making {wanted.type} on {wanted.volume}")
        await node.run(types.make(wanted.type, wanted.volume, again=unfinished))
        await node.run(drbd.flush(wanted.volume))
        await node.run(types.relabel(wanted.type, wanted.volume, wanted.label))
    elif [(each.type, each.label) for each in signatures] != [(wanted.type, wanted.label)]:
        raise Refused(f"{wanted.volume} carries {', '.join(each.type for each in signatures)}", node=node.name)
    make = volume.make_entries(wanted.volume, wanted.type, wanted.mount_point, wanted.directories, wanted.files)
    await node.run(make)


async def _done(cluster: Cluster, node: Node) -> None:
    journal = cluster.journal(node)
    await journal.record({MADE: "yes"})
    await journal.drop([PENDING])


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Only the mount points: what is on the volume stays. Raises `Refused` while it is mounted."""
    views = await _views(cluster, wanted)
    for name, view in views.items():
        if any(mount.target == wanted.mount_point for mount in view.mounts):
            raise Refused(f"{wanted.mount_point} is still mounted", node=name, remedy="stop the service first")
    await cluster.each(lambda node: mount_point.remove(cluster, node, wanted.mount_point), list(views))
    await cluster.each(lambda node: cluster.journal(node).forget(), list(views))


async def _views(cluster: Cluster, wanted: Wanted) -> dict[str, View]:
    async def read(node: Node) -> View:
        state, mounts, bare, managed = await node.batch(
            [
                drbd.status(wanted.resource),
                volume.mounts(),
                mount_point.read(wanted.mount_point),
                drbd.managed(wanted.resource),
            ]
        )
        table = volume.parse_mounts(mounts.stdout)
        return View(
            status.parse(state.stdout, wanted.resource),
            tuple(each for each in table if wanted.volume == each.source or wanted.mount_point == each.target),
            mount_point.parse(bare.stdout),
            managed.stdout.strip(),
            await cluster.journal(node).entries(),
        )

    return await cluster.each(read, list(wanted.mount_points))


async def _content(cluster: Cluster, wanted: Wanted, views: dict[str, View]) -> Content | None:
    """What is on the volume; None if no node can tell."""
    for name, view in views.items():
        for mount in view.mounts:
            if (mount.source, mount.target) == (wanted.volume, wanted.mount_point):
                return await _read(cluster.node(name), wanted, mount)
    ready = sorted(
        (name for name, view in views.items() if view.status.disk == "UpToDate"),
        key=lambda name: views[name].status.role != "Primary",
    )
    return await _read(cluster.node(ready[0]), wanted, None) if ready else None


async def _read(node: Node, wanted: Wanted, mount: Mount | None) -> Content:
    paths = [*wanted.directories, *wanted.files]
    if mount:
        readings = [device.read_signatures(wanted.volume), volume.entries_mounted(wanted.mount_point, paths)]
    else:
        readings = [
            volume.disk_signatures(wanted.resource),
            volume.entries_at_rest(wanted.type, wanted.resource, paths),
        ]
    signed, listed = await node.batch(readings)
    found = [each for each in device.parse_signatures(signed.stdout) if each.type != device.DRBD]
    return Content(
        node=node.name,
        mounted=mount is not None,
        type="+".join(each.type for each in found),
        label=found[0].label if found else "",
        directories=volume.parse_entries(listed.stdout, wanted.directories),
        files=volume.parse_entries(listed.stdout, wanted.files),
        options=mount_options.shown(mount.options) if mount else None,
    )
