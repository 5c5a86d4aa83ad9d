"""The mirror's disk: there, blank or this site's own, of one size on both nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blueprint import paths
from blueprint.traits import traits
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.disks import unreadable
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, Result
from providers.storage import device
from providers.storage.device import Disk

NAME = "disk"
SMALLEST = 64 * 1024 * 1024


def commands(site: Site, node: Node) -> Sequence[Command]:
    """What lsblk and wipefs say; nothing without a mirror."""
    return device.read(site.mirror.device_on(node)) if site.mirror else []


def judge(asked: Asked) -> Iterator[Finding]:
    """Nothing is ever written to a disk that carries something, so that is what stands in the way."""
    mirror = asked.site.mirror
    if mirror is None:
        return
    path = mirror.device_on(asked.node)
    disk = _disk(path, asked.results)
    if disk.identity is None:
        setting = f"`mirror_device` of {asked.node.name}" if asked.node.mirror_device else "`mirror.device`"
        yield asked.problem(NAME, f"there is no block device {path}", f"attach the disk, or correct {setting}")
        return
    yield unreadable(asked, NAME, path, asked.results[1]) or _content(asked, path, disk)
    size = int(disk.identity.size)
    if size < SMALLEST:
        yield asked.problem(NAME, f"{path} has only {size} bytes", "declare a larger disk")
    for name, results in asked.others.items():
        there = mirror.device_on(asked.site.node(name))
        other = _disk(there, results)
        if other.identity is not None and asked.node.name < name and int(other.identity.size) != size:
            which = "" if there == path else f"{there} "
            sizes = f"{path} has {size} bytes here and {which}{other.identity.size} on {name}"
            yield asked.note(NAME, f"{sizes}: the smaller counts")
    if not path.startswith("/dev/disk/by-"):
        yield asked.note(
            NAME, f"{path} is a name by order of discovery", "declare the disk's own name below /dev/disk/by-id"
        )


def _disk(path: str, results: Sequence[Result]) -> Disk:
    return device.parse(path, paths.MIRROR_VOLUME, results[0].stdout, results[1].stdout)


def _content(asked: Asked, path: str, disk: Disk) -> Finding:
    if disk.uses and asked.ours and all(use.split()[0] == traits(asked.site).sits for use in disk.uses):
        return asked.ok(NAME, f"{path} bears this site's mirror ({', '.join(disk.uses)})")
    if disk.uses:
        free = "look what that is: this site owns the node" if asked.ours else "free it"
        return asked.problem(NAME, f"{path} is in use: {', '.join(disk.uses)}", f"{free}, or declare a blank disk")
    if disk.metadata:
        if asked.ours:
            return asked.ok(NAME, f"{path} bears this site's mirror")
        return asked.problem(
            NAME,
            f"{path} carries DRBD's metadata, which this site did not make",
            "`squid-ha adopt` takes over a mirror that is in use; else free it: `wipefs --all`",
        )
    if disk.content:
        kinds = ", ".join(sorted({each.type for each in disk.content}))
        return asked.problem(
            NAME, f"{path} is not blank: {kinds}", "declare a blank disk, or `wipefs --all` once its data is elsewhere"
        )
    return asked.ok(NAME, f"{path} is blank")
