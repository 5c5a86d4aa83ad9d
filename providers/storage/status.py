"""What the DRBD module says about a resource, whatever its version; the command is `drbd.status`.

``drbdsetup events2 --now --statistics`` prints ``key:value`` words made for machines, in the same shape by the 8.4 and
the 9 tools (8.4 has no JSON). Two nodes only: one connection per resource, one volume.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from providers.connection.answers import not_understood

SETTLED_CONNECTIONS = frozenset({"StandAlone", "Connecting", "Connected"})
"""Connection states that stand until something happens; all others pass within seconds."""

NO_DISKS = frozenset({"", "Diskless", "Failed"})
"""A backing disk that is not in use, or not known: DRBD goes on counting as if it had all that it had."""
PASSING_DISKS = frozenset({"Attaching", "Detaching", "Negotiating", "Failed"})
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Status:
    """One node's view of the resource. States have DRBD 9's names: ``Connecting`` is what 8.4 shows as WFConnection.

    ``configured`` False: the module knows no such resource (or is not loaded); then the rest is empty. ``size`` and
    ``out_of_sync`` in KiB.
    """

    configured: bool = False
    role: str = ""
    disk: str = ""
    connection: str = ""
    replication: str = ""
    peer_role: str = ""
    peer_disk: str = ""
    size: int = 0
    out_of_sync: int = 0

    @property
    def attached(self) -> bool:
        """The backing disk is in use by the resource."""
        return self.configured and self.disk not in NO_DISKS

    @property
    def connected(self) -> bool:
        """The two halves talk to each other."""
        return self.connection == "Connected"

    @property
    def settled(self) -> bool:
        """Neither the connection nor the disk is passing through a state."""
        return not self.configured or (
            (not self.connection or self.connection in SETTLED_CONNECTIONS) and self.disk not in PASSING_DISKS
        )

    @property
    def in_sync(self) -> str:
        """Percent of the volume that both sides have, as text; empty while the peer is not seen, or one has no disk."""
        if not self.connected or not self.size or {self.disk, self.peer_disk} & NO_DISKS:
            return ""
        # DRBD counts in blocks of 4 KiB, and the volume may end within one.
        return f"{100 * max(0.0, 1 - self.out_of_sync / self.size):.1f}"


def parse(output: str, resource: str) -> Status:
    """`Status` out of the words of ``exists`` lines; lines of other resources and unknown words are passed over.

    Raises `Unknown` for a size that is none: 0 would be a mirror in step.
    """
    found: dict[str, dict[str, str]] = {}
    for line in output.splitlines():
        what, _, rest = line.partition(" ")
        thing, *words = rest.split() or [""]
        values = dict(word.split(":", 1) for word in words if ":" in word)
        if what == "exists" and values.get("name") == resource:
            found.setdefault(thing, values)
    own, device = found.get("resource", {}), found.get("device", {})
    link, peer = found.get("connection", {}), found.get("peer-device", {})
    return Status(
        configured="resource" in found,
        role=own.get("role", ""),
        disk=device.get("disk", ""),
        connection=link.get("connection", ""),
        replication=peer.get("replication", ""),
        peer_role=link.get("role", ""),
        peer_disk=peer.get("peer-disk", ""),
        size=_kib(device, "size"),
        out_of_sync=_kib(peer, "out-of-sync"),
    )


def _kib(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "0")
    if not _NUMBER.fullmatch(text):
        raise not_understood(f"what DRBD says of `{name}`")
    return int(text)
