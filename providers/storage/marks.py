"""This site's mark on a disk: which disk of a node is its own, written down there before the disk is.

While a mirror is declared the mark is in its journal (`DISK`). When the mirror is removed and its data kept, the mark
moves to the journal of the thing `KEPT`, which no resource owns: a later `up` of the same site finds it and adopts.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Journal, Node
from providers.connection.journal import KEPT
from providers.storage.device import Identity

DISK = "disk"


def kept(cluster: Cluster, node: Node) -> Journal:
    """The marks of disks whose data outlived the declaration, by device path."""
    return cluster.open_journal(node, KEPT)


def is_marked(identity: Identity | None, *texts: str | None) -> bool:
    """One of these journal texts names exactly this disk."""
    if identity is None:
        return False
    return any(Identity.model_validate_json(text) == identity for text in texts if text)


def differs(identity: Identity | None, text: str | None) -> str:
    """In words how the disk at the marked path is another one than the mark says; '' if it is not, or says nothing."""
    if identity is None or text is None:
        return ""
    mark = Identity.model_validate_json(text)
    if mark.device != identity.device or mark == identity:
        return ""
    before, now = (f"{each.size} bytes, serial number {each.serial or 'none'}" for each in (mark, identity))
    return f"it had {before}, and has {now}"


def device_of(entries: Mapping[str, str]) -> str:
    """The path of the disk that a mirror's journal names; '' if it names none."""
    return Identity.model_validate_json(entries[DISK]).device if DISK in entries else ""


def text(identity: Identity) -> str:
    """The mark as it is journalled."""
    return identity.model_dump_json()
