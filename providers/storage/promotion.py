"""Making one half writable for a moment, while nothing else manages it, and giving that up again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from providers.connection.cluster import Node
from providers.connection.command import command
from providers.connection.errors import CommandFailed, HostError, NotVerified, Refused
from providers.host.waiting import until
from providers.storage import drbd
from providers.storage.status import Status

RELEASE_LIMIT = 30.0
"""Seconds that udev may still hold the device open after it was written."""


def choose(resource: str, found: Mapping[str, Status]) -> str:
    """The node to promote: the one that is primary already, else the first with all the data.

    Raises `Refused` unless the halves are connected: a lone half must not be written (its handlers would fence).
    """
    ready = [name for name, status in found.items() if status.disk == "UpToDate"]
    ready.sort(key=lambda name: found[name].role != "Primary")
    states = ", ".join(f"{name}: {each.connection or 'not configured'}/{each.disk}" for name, each in found.items())
    if not ready or not found[ready[0]].connected:
        raise Refused(
            f"the filesystem cannot be changed while the mirror {resource} is not connected and up to date ({states})",
            remedy="bring both nodes and the replication network up, then run `pulumi up` again",
        )
    return ready[0]


async def promote(node: Node, resource: str) -> None:
    """Become primary; no change if it is."""
    await node.run(drbd.adm("primary", resource))


async def demote(node: Node, resource: str) -> None:
    """Become secondary, as soon as nothing holds the device open any more. Raises `NotVerified`."""
    failures: list[CommandFailed] = []

    async def attempt() -> bool:
        try:
            await node.run(drbd.adm("secondary", resource))
        except CommandFailed as failure:
            failures.append(failure)
            return False
        return True

    await node.run(command("udevadm", "settle", "--timeout=20", ok=None))
    _, held = await until(attempt, bool, RELEASE_LIMIT)
    if not held:
        raise NotVerified(
            f"{resource} stays primary: {failures[-1].message}",
            node=node.name,
            remedy="see with `fuser -v` what holds the volume open",
        )


async def demote_quietly(node: Node, resource: str) -> None:
    """After a failure that is going to be reported: demote if it can be done."""
    with contextlib.suppress(HostError):
        await node.run(drbd.adm("secondary", resource))
