"""The mirror's disk: there, blank or this site's own, of one size on both nodes; or that of an adopted mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from blueprint import paths
from blueprint.site import things
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.disks import unreadable
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, Result, script
from providers.connection.journal import ROOT
from providers.host.digest import AS_FOUND
from providers.storage import device, marks
from providers.storage import found as somebodys
from providers.storage.device import Disk

NAME = "disk"
SMALLEST = 64 * 1024 * 1024
_BY_DISCOVERY = re.compile(r"/dev/(?:(?:s|v|xv|h)d[a-z]|nvme\d|mmcblk\d|dm-\d|md\d|sr\d)")
"""Names that the kernel gives as disks turn up; those of volumes, such as /dev/VG/LV, are their own."""

# $1 where journals are. The marks of this site's own disks, a line each.
_MARKS = r"""
for mark in "$1"/*/things/*/"$2"; do
    [ -f "$mark" ] && cat "$mark" && echo
done
true
"""
# $1 resource. The minor number of each of its volumes, as its configuration says: their names there may be links.
_MINORS = r"""
command -v drbdadm >/dev/null || exit 0
drbdadm sh-minor "$1" 2>/dev/null </dev/null
true
"""


def commands(site: Site, node: Node) -> Sequence[Command]:
    """What lsblk and wipefs say, and DRBD of a mirror that was adopted, else the marks; nothing without a mirror."""
    if site.mirror is None:
        return []
    adopted = _adopted(things(site, "doctor/doctor"))
    noted = script(_MARKS, ROOT, marks.DISK, reads=True, label="look for marks of disks")
    return [*device.read(site.mirror.device_on(node)), *(_of_drbd(adopted) if adopted else [noted])]


def _adopted(listed: Sequence[Thing]) -> somebodys.Wanted | None:
    """The mirror that somebody else has set up, and that is looked at and never written; None for this site's own."""
    return next((thing.inputs for thing in listed if isinstance(thing.inputs, somebodys.Wanted)), None)


def _of_drbd(adopted: somebodys.Wanted) -> list[Command]:
    label = f"drbdadm sh-minor {adopted.resource}"
    return [somebodys.DIGESTS, script(_MINORS, adopted.resource, reads=True, label=label)]


def judge(asked: Asked) -> Iterator[Finding]:
    """Nothing is ever written to a disk that carries something, so that is what stands in the way.

    To the disk of a mirror that was adopted nothing is written in any case: it has to carry that mirror.
    """
    mirror = asked.site.mirror
    if mirror is None:
        return
    path, adopted = mirror.device_on(asked.node), _adopted(asked.things)
    disk = _disk(path, asked.results, "" if adopted else paths.MIRROR_VOLUME)
    if disk.identity is None:
        remedy = f"attach the disk, or correct {_setting(asked.node)}"
        yield asked.problem(NAME, f"there is no block device {path}", remedy)
        return
    size = int(disk.identity.size)
    broken = unreadable(asked, NAME, path, asked.results[1])
    if broken:
        yield broken
    elif adopted:
        yield from _somebodys(asked, adopted, path, disk)
    else:
        yield _taken_over(asked, path, disk) or _content(asked, path, disk)
    if size < SMALLEST and not adopted:
        yield asked.problem(NAME, f"{path} has only {size} bytes", "declare a larger disk")
    for name, results in asked.others.items():
        yield from _sizes(asked, (path, disk), name, results)
    # DRBD's own configuration names the disk of an adopted one, and nobody here changes that.
    if _BY_DISCOVERY.match(path) and not adopted:
        yield asked.note(
            NAME, f"{path} is a name by order of discovery", "declare the disk's own name below /dev/disk/by-id"
        )


def _disk(path: str, results: Sequence[Result], volume: str = "") -> Disk:
    return device.parse(path, volume, results[0].stdout, results[1].stdout)


def _sizes(asked: Asked, own: tuple[str, Disk], name: str, results: Sequence[Result]) -> Iterator[Finding]:
    """What the disks' sizes mean for the mirror; ``own`` is this node's path and disk, ``results`` the answers of node
    ``name``. Said once: by the node whose disk is too small, else by the first one.
    """
    assert asked.site.mirror is not None  # noqa: S101 the check has looked
    (path, disk), there = own, asked.site.mirror.device_on(asked.site.node(name))
    other = _disk(there, results)
    if disk.identity is None or other.identity is None or disk.identity.size == other.identity.size:
        return
    which = "" if there == path else f"{there} "
    sizes = f"{path} has {disk.identity.size} bytes here and {which}{other.identity.size} on {name}"
    larger, disks = int(disk.identity.size) > int(other.identity.size), {asked.node.name: disk, name: other}
    if _source(asked, disks) != (asked.node.name if larger else name):
        if asked.node.name < name:
            yield asked.note(NAME, f"{sizes}: the smaller counts")
    elif not larger:
        yield asked.problem(
            NAME,
            f"{sizes}, on which the mirror is made: it is extended only to a disk that is not smaller",
            f"declare a disk here that is at least as large ({_setting(asked.node)}), or on both nodes a partition or "
            "volume of one size",
        )


def _source(asked: Asked, disks: Mapping[str, Disk]) -> str:
    """On whose disk the mirror is, or will be made, before the other one is added; "" where any size will do."""
    engine = traits(asked.site)
    if not engine.mirror_source(asked.site):
        return ""
    bearing = [
        name
        for name, disk in disks.items()
        if _sits(asked, disk) or engine.idle_half_signature in {each.type for each in disk.signatures}
    ]
    return "" if len(bearing) == len(disks) else next(iter(bearing), engine.mirror_source(asked.site))


def _setting(node: Node) -> str:
    return f"`mirror_device` of {node.name}" if node.mirror_device else "`mirror.device`"


def _sits(asked: Asked, disk: Disk) -> bool:
    """Whether nothing is on the disk but what the engine's mirrors put there."""
    return bool(disk.uses) and all(use.split()[0] == traits(asked.site).mirror_device_type for use in disk.uses)


def _is_idle(asked: Asked, disk: Disk) -> bool:
    """Whether nothing uses the disk that was marked, and it bears what the engine's mirrors leave there and no more."""
    assert asked.site.mirror is not None  # noqa: S101 the check has looked
    idle, found = traits(asked.site).idle_half_signature, {each.type for each in disk.content}
    whole = idle in found and found <= {idle, asked.site.mirror.filesystem}
    return not disk.uses and whole and marks.is_marked(disk.identity, *asked.out[2].splitlines())


def _taken_over(asked: Asked, path: str, disk: Disk) -> Finding | None:
    """A mirror that the declaration accepts, before the `up` that makes it this site's."""
    bears = _sits(asked, disk) or (disk.metadata and not disk.uses)
    if asked.ours or not asked.site.takeover or not bears:
        return None
    return asked.note(
        NAME,
        f"{path} bears a mirror ({', '.join(disk.uses) or 'DRBD'}); `takeover: true` accepts that",
        "see that it is the one which this site declares; take `takeover` out again after one `up`",
    )


def _content(asked: Asked, path: str, disk: Disk) -> Finding:
    if asked.ours and (_sits(asked, disk) or _is_idle(asked, disk)):
        used = ", ".join(disk.uses) or "not in use here, as on a standby node"
        return asked.ok(NAME, f"{path} bears this site's mirror ({used})")
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


def _somebodys(asked: Asked, adopted: somebodys.Wanted, path: str, disk: Disk) -> Iterator[Finding]:
    """Whether DRBD knows the resource as it was found, and whether it is on this disk."""
    name = adopted.resource
    known, wanted = somebodys.digests(asked.out[2]).get(name), adopted.nodes[asked.node.name].configuration
    if known is None:
        yield asked.problem(
            NAME,
            f"DRBD knows no resource `{name}`, which was adopted as it was found",
            "bring its configuration back there, or take it out of `pacemaker.adopted`",
        )
        return
    if AS_FOUND + known != wanted:
        yield asked.problem(
            NAME,
            f"the configuration of the mirror `{name}` is not the one that was adopted, and `up` refuses to change it",
            "bring it back there; if it is to stay as it is now, adopt it anew (docs/adopt.md)",
        )
    others = [use for use in disk.uses if not _is_volume(use.rpartition(" ")[2], asked.out[3].split())]
    which = f"see which disk it has (`drbdadm sh-ll-dev {name}`), and correct {_setting(asked.node)}"
    if others:
        yield asked.problem(
            NAME, f"{path} shall bear the mirror `{name}`, which was adopted, and is in use: {', '.join(others)}", which
        )
    elif disk.uses or disk.metadata:
        yield asked.ok(NAME, f"{path} bears the mirror `{name}`, adopted as it was found")
    else:
        there = ", ".join(sorted({each.type for each in disk.content})) or "it is blank"
        yield asked.note(NAME, f"{path} does not bear the mirror `{name}`, which was adopted: {there}", which)


def _is_volume(holder: str, minors: Sequence[str]) -> bool:
    """Whether what sits on the disk is the resource's; where DRBD did not tell its minors, any of DRBD's is."""
    return holder in {f"/dev/drbd{minor}" for minor in minors} if minors else holder.startswith("/dev/drbd")
