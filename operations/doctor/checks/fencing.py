"""The fencing device and the watchdog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from blueprint import names
from blueprint.engines.pacemaker.found import adopted_of
from blueprint.site import things
from declaration.engines.pacemaker import Sbd
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.disks import unreadable
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, Result, command, script
from providers.pacemaker.sbd import AREA, Header, parse
from providers.storage import device
from providers.storage.device import Disk

NAME = "fencing"

# $1 watchdog
_WATCHDOG = r"""
[ -c "$1" ] || { echo absent; exit 0; }
n=${1#/dev/}; [ "$n" = watchdog ] && n=watchdog0
echo there; cat "/sys/class/watchdog/$n/identity" 2>/dev/null
"""
# $1 device, $2 bytes: what its beginning holds. Needs no sbd, which comes with the first `up`; the magic is that of
# sbd's own source (`sbd_magic`). What the kernel has kept is forgotten first: another node may have written since.
_BEGINNING = r"""
[ -b "$1" ] || exit 0
blockdev --flushbufs "$1" 2>/dev/null
magic=$(head -c 8 -- "$1" | tr -d '\000')
[ "$magic" != SBD_SBD_ ] || { echo slots; exit 0; }
cmp -s -n "$2" -- "$1" /dev/zero
case $? in 0) echo blank ;; 1) echo data ;; *) exit 2 ;; esac
"""

Beginning = Literal["slots", "blank", "data"]
"""What a fencing disk holds where the slots are: those of a cluster, nothing, or anything else."""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """Only for a site that fences by a disk and watchdogs."""
    sbd = _sbd(site)
    if sbd is None:
        return []
    # The device is compared by its serial number, which both nodes must see.
    return [
        script(_WATCHDOG, sbd.watchdog, reads=True, label=f"look at {sbd.watchdog}"),
        *device.read(sbd.device),
        command("sbd", "-d", sbd.device, "dump", reads=True),
        script(_BEGINNING, sbd.device, str(AREA), reads=True, label=f"look at the beginning of {sbd.device}"),
    ]


def _sbd(site: Site) -> Sbd | None:
    # The section may stand in the file of a site whose engine has no use for it.
    used = any(thing.name == names.SBD for thing in things(site, "doctor/doctor"))
    return site.pacemaker.fencing.sbd if site.pacemaker and used else None


def judge(asked: Asked) -> Iterator[Finding]:
    """A watchdog made of software is a note: it does not fire where the kernel hangs."""
    sbd = _sbd(asked.site)
    if sbd is None:
        return
    yield _watchdog(asked, sbd)
    disk = device.parse(sbd.device, "", asked.out[1], asked.out[2])
    if disk.identity is None:
        yield asked.problem(
            NAME, f"there is no block device {sbd.device}", "attach the shared disk, or correct `fencing.sbd.device`"
        )
    elif trouble := unreadable(asked, NAME, sbd.device, asked.results[2]):
        yield trouble
    elif disk.uses or disk.signatures:
        found = ", ".join([*disk.uses, *(each.type for each in disk.signatures)])
        yield asked.problem(NAME, f"{sbd.device} is not blank: {found}", "declare a small disk for fencing alone")
    else:
        yield _content(asked, sbd, disk)


def _content(asked: Asked, sbd: Sbd, disk: Disk) -> Finding:
    """Slots are this site's or somebody's; `up` makes them only where there is nothing, and room for them."""
    _, _, _, dump, look = asked.results
    beginning = _beginning(dump, look)
    if beginning is None:
        return unreadable(asked, NAME, sbd.device, look) or asked.problem(
            NAME, f"nobody could tell what is on {sbd.device}", "run this again"
        )
    if beginning == "slots":
        return _slots(asked, sbd, dump)
    if disk.identity is not None and int(disk.identity.size) < AREA:
        return asked.problem(
            NAME, f"{sbd.device} has only {disk.identity.size} bytes", f"declare a disk of at least {AREA} bytes"
        )
    if beginning == "data":
        return asked.problem(
            NAME,
            f"{sbd.device} is not blank: something is at its beginning, though nothing that has a name",
            "see what it is (`hexdump -C -n 4096 DISK`); declare a small disk for fencing alone",
        )
    return asked.ok(NAME, f"{sbd.device} is blank")


def _beginning(dump: Result, look: Result) -> Beginning | None:
    """None where nobody could look. A node that has sbd knows its slots best."""
    if dump.exit_code == 0:
        return "slots"
    found: dict[str, Beginning] = {"slots": "slots", "blank": "blank", "data": "data"}
    return found.get(look.stdout.strip()) if look.exit_code == 0 else None


def _slots(asked: Asked, sbd: Sbd, dump: Result) -> Finding:
    if adopted_of(asked.site) is not None:
        return _adopted(asked, sbd, parse(dump.stdout) if dump.exit_code == 0 else None)
    # The disk is shared: a node that was replaced owns nothing yet, and the survivor fences with these slots.
    if not (asked.ours or asked.pair_is_ours):
        return _slots_of_whom(asked, sbd)
    return asked.ok(NAME, f"{sbd.device} bears slots of this site")


def _adopted(asked: Asked, sbd: Sbd, header: Header | None) -> Finding:
    """Slots of a cluster that somebody else has built: used as they are, and never made anew."""
    declared = (round(sbd.watchdog_timeout.seconds), round(sbd.message_timeout.seconds))
    found = (header.watchdog_timeout, header.message_timeout) if header else None
    if found and found != tuple(map(str, declared)):
        return asked.problem(
            NAME,
            f"{sbd.device} bears slots of the cluster that was adopted, with the timeouts {found[0]} s (watchdog) and "
            f"{found[1]} s (messages), but {declared[0]} s and {declared[1]} s are declared",
            "declare the timeouts that are there: `fencing.sbd.watchdog_timeout` and `message_timeout`",
        )
    return asked.ok(NAME, f"{sbd.device} bears slots, adopted with the cluster as they were found")


def _slots_of_whom(asked: Asked, sbd: Sbd) -> Finding:
    """A node that was not asked may be the one that fences with them."""
    if asked.unasked:
        return asked.problem(
            NAME,
            f"{sbd.device} bears slots, and {' and '.join(asked.unasked)} was not asked whether they are this site's",
            "see why (it does not answer, or is declared away), and leave the disk as it is: a node may fence with it",
        )
    return asked.problem(
        NAME,
        f"{sbd.device} bears another cluster's slots",
        "see which cluster's nodes use it, `sbd -d DISK list`; blank it only when none does. `squid-ha adopt` "
        "takes over a cluster that was built by hand",
    )


def _watchdog(asked: Asked, sbd: Sbd) -> Finding:
    there, _, identity = asked.out[0].strip().partition("\n")
    if there != "there":
        return asked.problem(
            NAME,
            f"there is no watchdog {sbd.watchdog}",
            "load the hardware's driver (or `softdog` for a test), or correct `fencing.sbd.watchdog`",
        )
    if "software" in identity.lower():
        return asked.note(NAME, f"{sbd.watchdog} is made of software, and may not fire when the kernel hangs")
    return asked.ok(NAME, f"{sbd.watchdog} is there{f' ({identity})' if identity else ''}")
