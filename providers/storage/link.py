"""The connection between the two halves: waited for, never forced; the first data generation of a brand-new pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.host.waiting import until
from providers.storage import drbd
from providers.storage.half import read_halves, read_statuses
from providers.storage.status import Status

if TYPE_CHECKING:
    from providers.storage.mirror import Wanted

CONNECT_LIMIT = 90.0
"""Seconds: several of DRBD's own attempts (``connect-int``, 10 s)."""

SOURCE_LIMIT = 20.0
"""Seconds from connecting to knowing which half has the data; the two agree on it in their first messages."""


async def connect(cluster: Cluster, wanted: Wanted) -> None:
    """Wait until all halves are attached and talk to each other.

    Raises `Refused` if they do not want to, `TimedOut`.
    """

    def done(found: Mapping[str, Status]) -> bool:
        return _standing_alone(found) or (
            all(status.attached and status.settled for status in found.values())
            and (len(found) == 1 or all(status.connected for status in found.values()))
        )

    def report(found: Mapping[str, Status], seconds: float) -> None:
        cluster.progress(f"waiting for the mirror to connect, {seconds:.0f} s: {_states(found)}")

    statuses, held = await until(lambda: read_statuses(cluster, wanted), done, CONNECT_LIMIT, report=report)
    if not held:
        raise TimedOut(
            f"the mirror {wanted.resource} did not connect within {CONNECT_LIMIT:.0f} s ({_states(statuses)})",
            remedy="check the replication network and its port; if Pacemaker manages the mirror, that both nodes are "
            "online and not in standby",
        )
    if len(statuses) > 1 and _standing_alone(statuses):
        raise await _refusal(cluster, wanted, statuses)


def _standing_alone(found: Mapping[str, Status]) -> bool:
    return any(status.connection == "StandAlone" for status in found.values())


def _states(found: Mapping[str, Status]) -> str:
    return ", ".join(
        f"{name}: {status.connection or 'not configured'}/{status.disk or '-'}" for name, status in found.items()
    )


async def _refusal(cluster: Cluster, wanted: Wanted, statuses: Mapping[str, Status]) -> Refused:
    """Why the halves refuse each other, in the kernel's words."""
    results = await cluster.each(lambda node: node.run(drbd.reasons(wanted.resource)), list(statuses))
    said = " / ".join(f"{name}: {result.stdout.strip()}" for name, result in results.items() if result.stdout.strip())
    split = "Split-Brain" in said
    return Refused(
        f"the two halves of {wanted.resource} refuse each other"
        f"{' (split brain: both have data that the other has not)' if split else ''}; "
        f"{_states(statuses)}; the kernel says: {said or 'nothing'}",
        remedy=(
            "decide which node's data survives, then run `squid-ha resolve split-brain`"
            if split
            else "see the kernel's reason; nothing is thrown away by itself"
        ),
    )


async def first_generation(cluster: Cluster, wanted: Wanted) -> None:
    """Declare two just-made, blank, connected halves equal without copying anything; do nothing to any other pair."""
    halves = await read_halves(cluster, wanted)
    fresh = [
        half.status.connected
        and half.status.disk == half.status.peer_disk == "Inconsistent"
        and drbd.blank_generation(half.generation)
        and not half.disk.content
        for half in halves.values()
    ]
    if len(fresh) == 2 and all(fresh):  # noqa: PLR2004 - a pair
        first = cluster.node(next(iter(halves)))
        await first.run(drbd.adm("new-current-uuid", "--clear-bitmap", f"{wanted.resource}/0"))


async def verify_source(cluster: Cluster, wanted: Wanted) -> None:
    """See that one node has all the data. Raises `NotVerified`."""
    statuses, held = await until(
        lambda: read_statuses(cluster, wanted),
        lambda found: any(status.disk == "UpToDate" for status in found.values()),
        SOURCE_LIMIT,
    )
    alone = len(statuses) == 1 and all(status.disk == "Consistent" for status in statuses.values())
    if not held and not alone:
        raise NotVerified(
            f"no node has up-to-date data of {wanted.resource} ({_states(statuses)})",
            remedy="find the node with the good data and make it the source by hand; this program does not guess",
        )
