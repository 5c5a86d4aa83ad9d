"""Split brain: both halves were written while they did not see each other. Seen here, and ended as a person decides.

The halves' data generations tell (drbd.conf(5), "Generation identifiers" of the DRBD user's guide): a half that is
written while alone begins a new generation and keeps the common one as its base. Two halves with the same base and
different generations have each been written; the kernel's log says so too, as long as it reaches back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script
from providers.connection.errors import CommandFailed, NotVerified, Refused, TimedOut
from providers.host.waiting import until
from providers.roles import SplitBrain
from providers.storage import drbd
from providers.storage.status import Status, parse
from providers.storage.views import read_status

RESYNC_LIMIT = 90.0
"""Seconds from connecting to the copying under way: several of DRBD's own attempts."""
_NOBODY = "0" * 16
_DETECTED = "Split-Brain detected"

# $1 resource. The minor is asked for: nobody says here which volume it is.
_GENERATION = r"""
[ -d /sys/module/drbd ] || exit 0
minor=$(drbdadm sh-minor "$1" 2>/dev/null </dev/null) || exit 0
drbdsetup get-gi "$minor" 2>/dev/null || :
"""


@dataclass(frozen=True)
class Side:
    """One half: what DRBD says, its data generation, and what the kernel last said."""

    status: Status
    generation: str
    said: str


async def split_brain(cluster: Cluster, resource: str) -> SplitBrain | None:
    """Whether both halves have data that the other has not. Raises `Unreachable` where a node does not answer."""
    return judge(await _read(cluster, resource))


async def _read(cluster: Cluster, resource: str) -> dict[str, Side]:
    generation = script(_GENERATION, resource, reads=True, ok=None, label=f"drbdsetup get-gi of {resource}")

    async def read(node: Node) -> Side:
        asked: list[Command] = [drbd.status(resource), generation, drbd.reasons(resource)]
        status, known, said = await node.batch(asked)
        return Side(parse(status.stdout, resource), known.stdout.strip(), said.stdout.strip())

    return await cluster.each(read)


def judge(sides: Mapping[str, Side]) -> SplitBrain | None:
    """A verdict out of one reading: two attached halves that do not talk, and have diverged."""
    if len(sides) != 2 or any(not side.status.attached or side.status.connected for side in sides.values()):  # noqa: PLR2004 - a pair
        return None
    one, two = (side.generation for side in sides.values())
    # The kernel's line may be of one that was ended long ago: generations that follow each other know better.
    detected = any(_DETECTED in side.said for side in sides.values()) and not related(one, two)
    refused = any(side.status.connection == "StandAlone" for side in sides.values())
    if not diverged(one, two) and not (detected and refused):
        return None
    return SplitBrain({name: side.said or _told(side.status) for name, side in sides.items()})


def _told(status: Status) -> str:
    return f"{status.role}, {status.connection or 'no connection'}, data {status.disk}"


def diverged(one: str, two: str) -> bool:
    """Whether two generations, as ``drbdsetup get-gi`` prints them, were each written apart from the other.

    The last bit of the first identifier only says that the half was primary.
    """
    first, second = _identifiers(one), _identifiers(two)
    if len(first) < _NEEDED or len(second) < _NEEDED or related(one, two):
        return False
    return bool(set(first[1:]) & set(second[1:]) - {_NOBODY})


def related(one: str, two: str) -> bool:
    """Whether two generations are the same, or one is the other's past: at most one half was written alone."""
    first, second = _identifiers(one), _identifiers(two)
    if len(first) < _NEEDED or len(second) < _NEEDED:
        return False
    # The half that stayed behind still has as its generation what the other one has as its base, or its past.
    return first[0] == second[0] or first[0] in second[1:] or second[0] in first[1:]


_NEEDED = 4


def _identifiers(generation: str) -> list[str]:
    fields = generation.split(":")[:_NEEDED]
    return [f"{int(field, 16) & ~1:016X}" for field in fields if field]


# Ending it


async def resolve(cluster: Cluster, victim: str, resource: str) -> None:
    """Throw away what only ``victim`` has, and wait until it is being copied from the other half, or has been.

    Raises `Refused` where there is no split brain, or the volume is in use on ``victim``. Cut off and run again it goes
    on: halves that were connected meanwhile are a success of the first run.
    """
    node = cluster.node(victim)
    sides = await _read(cluster, resource)
    if _on_its_way(sides, victim):
        return
    if judge(sides) is None:
        states = ", ".join(f"{name}: {_told(side.status)}" for name, side in sides.items())
        raise Refused(f"there is no split brain, so nothing is thrown away ({states})", remedy="see `squid-ha status`")
    survivor = cluster.node(next(name for name in sides if name != victim))
    await _cut(node, resource)
    try:
        await node.run(drbd.adm("secondary", resource))
    except CommandFailed as failure:
        raise Refused(
            f"the volume is in use here, so its data cannot be thrown away: {failure.stderr.strip()}",
            node=victim,
            remedy="see with `fuser -vm` what uses it; the service must run on the other node",
        ) from failure
    await node.run(drbd.adm("connect", "--discard-my-data", resource))
    if (await read_status(survivor, resource)).connection == "StandAlone":
        await survivor.run(drbd.adm("connect", resource))
    await _wait(cluster, resource, victim)


async def _cut(node: Node, resource: str) -> None:
    """Give up connecting. The half may have done so itself, and is not asked to agree."""
    if (await read_status(node, resource)).connection != "StandAlone":
        await node.run(drbd.adm("disconnect", resource))


def _on_its_way(sides: Mapping[str, Side], victim: str) -> bool:
    """Whether the victim is being copied to, or has been: connected, and the other half up to date."""
    status = sides[victim].status
    return status.connected and status.peer_disk == "UpToDate" and status.disk in {"Inconsistent", "UpToDate"}


async def _wait(cluster: Cluster, resource: str, victim: str) -> None:
    def report(found: Mapping[str, Side], seconds: float) -> None:
        states = ", ".join(f"{name}: {_told(side.status)}" for name, side in found.items())
        cluster.progress(f"Waiting for the copying to begin ({seconds:.0f} s): {states}")

    found, held = await until(
        lambda: _read(cluster, resource), lambda sides: _on_its_way(sides, victim), RESYNC_LIMIT, report=report
    )
    if held:
        return
    states = ", ".join(f"{name}: {_told(side.status)}" for name, side in found.items())
    if judge(found) is not None:
        raise NotVerified(f"the two halves still refuse each other ({states})", remedy="see `dmesg` on both nodes")
    raise TimedOut(
        f"the copying to {victim} did not begin within {RESYNC_LIMIT:.0f} s ({states})",
        remedy="check the replication network, and run this again",
    )
