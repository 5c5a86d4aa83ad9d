"""What stands on a backing disk: whether it is blank, and whether it is the very disk that bears this site's mark.

Data first: a disk is written only if it carries nothing (signature, partition, holder, mount), or this site's own
mark. lsblk and wipefs read; wipefs sees signatures at both ends, which blkid calls ambivalent (a filesystem in front
of DRBD's metadata). A disk that DRBD holds open has stale pages: unflushed, it reads as blank after a mkfs through
``/dev/drbd0`` (measured), so every reading flushes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, NonNegativeInt, ValidationError

from providers.connection.answers import not_understood
from providers.connection.command import Command, command, script
from providers.connection.errors import Refused
from providers.contract import State

DRBD = "drbd"
ASTRAY = "attach the disk, or correct `mirror.device`, or `mirror_device` of this node under `nodes`"
"""What to do about a disk that is not there."""

# $1 device. A device that cannot be read is no blank one: then wipefs fails, and this with it.
_SIGNATURES = """
[ -b "$1" ] || exit 0
blockdev --flushbufs "$1" 2>/dev/null
wipefs --no-act --json "$1"
"""


class Identity(State):
    """A disk as it can be told from another one: the declared path, bytes, and the serial number if it has one."""

    device: str
    size: str
    serial: str


class _Child(BaseModel):
    name: str
    type: str


class _Row(BaseModel):
    size: NonNegativeInt
    serial: str | None = None
    ro: bool | None = None
    mountpoints: list[str | None] | None = None
    children: list[_Child] | None = None


class _Listed(BaseModel):
    """What lsblk prints as JSON, as far as it was asked."""

    blockdevices: list[_Row]


class _Signed(BaseModel):
    type: str
    label: str | None = None


class _Signatures(BaseModel):
    """What wipefs prints as JSON: the list is there, and empty, where there is nothing."""

    signatures: list[_Signed]


@dataclass(frozen=True)
class Signature:
    """A filesystem, partition table, RAID member or the like that starts or ends on the disk."""

    type: str
    label: str


@dataclass(frozen=True)
class Disk:
    """A disk as lsblk and wipefs show it; ``identity`` None if there is none at that path."""

    identity: Identity | None = None
    signatures: tuple[Signature, ...] = ()
    uses: tuple[str, ...] = field(default=())
    """What else sits on the disk, in words: partitions, holders, mounts."""

    @property
    def metadata(self) -> bool:
        """DRBD's metadata is on the disk."""
        return any(signature.type == DRBD for signature in self.signatures)

    @property
    def content(self) -> tuple[Signature, ...]:
        """Everything on the disk except DRBD's metadata."""
        return tuple(signature for signature in self.signatures if signature.type != DRBD)


def read(device: str) -> list[Command]:
    """Two readings for `parse`; neither fails when there is no such device."""
    columns = "NAME,TYPE,SIZE,SERIAL,RO,MOUNTPOINTS"
    return [
        command("lsblk", "--json", "--bytes", "--paths", "--output", columns, device, ok=None, reads=True),
        read_signatures(device),
    ]


def read_signatures(device: str) -> Command:
    """Signatures of one device, past the pages that the kernel still holds; for `parse_signatures`.

    Fails where there is a device that cannot be read; without a device it prints nothing.
    """
    return script(_SIGNATURES, device, reads=True, label=f"wipefs --no-act --json {device}")


def parse(device: str, volume: str, listed: str, signatures: str) -> Disk:
    """`Disk` from the output of `read`; that ``volume`` sits on it is no use by others.

    Raises `Unknown` for what lsblk and wipefs do not print: it is never taken for a disk that is not there, or blank.
    """
    try:
        rows = _Listed.model_validate_json(listed).blockdevices if listed.strip() else []
    except ValidationError as error:
        raise not_understood(f"what lsblk says of {device}") from error
    if not rows:
        return Disk()
    top = rows[0]
    identity = Identity(device=device, size=str(top.size), serial=(top.serial or "").strip())
    return Disk(identity, parse_signatures(signatures), tuple(_uses(top, volume)))


def _uses(top: _Row, volume: str) -> Iterable[str]:
    if top.ro:
        yield "it is read-only"
    for place in filter(None, top.mountpoints or []):
        yield f"mounted at {place}" if place.startswith("/") else f"in use as {place}"
    for child in (each for each in top.children or [] if each.name != volume):
        yield f"{child.type} {child.name}"


def parse_signatures(output: str) -> tuple[Signature, ...]:
    """The signatures in what `read_signatures` printed; none if the device is blank, or not there.

    Raises `Unknown` for what wipefs does not print.
    """
    try:
        rows = _Signatures.model_validate_json(output).signatures if output.strip() else []
    except ValidationError as error:
        raise not_understood("what wipefs says of a disk") from error
    return tuple(Signature(row.type, row.label or "") for row in rows)


def needs_metadata(node: str, disk: Disk, device: str, *, marked: bool, takeover: bool) -> bool:
    """True: blank, make metadata. False: adopt the metadata that is there. Raises `Refused` for anything else.

    ``marked``: the journal on that node names exactly this disk as this site's.
    """
    if disk.identity is None:
        raise Refused(f"there is no block device {device}", node=node, remedy=ASTRAY)
    if disk.uses:
        raise Refused(f"{device} is in use: {', '.join(disk.uses)}", node=node, remedy="declare a blank disk")
    if disk.metadata:
        if marked or takeover:
            return False
        raise Refused(
            f"{device} carries DRBD metadata that this site did not make, so there may be data on it",
            node=node,
            remedy="declare `takeover: true` to adopt it as it is, or free the disk yourself with `wipefs --all`",
        )
    if disk.content:
        kinds = ", ".join(sorted({describe(signature) for signature in disk.content}))
        raise Refused(
            f"{device} is not blank: it carries {kinds}",
            node=node,
            remedy="declare a blank disk, or free this one yourself with `wipefs --all` once its data is elsewhere",
        )
    return True


def describe(signature: Signature) -> str:
    """``ext3 (label squid-mirror)``."""
    return f"{signature.type} (label {signature.label})" if signature.label else signature.type
