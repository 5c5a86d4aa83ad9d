"""What drills have armed on the nodes, so that these undo it by themselves: what is still to come, and stopping it."""

from __future__ import annotations

from operations.drill.disturbances import ASIDE, UNIT
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, script
from providers.connection.errors import HostError, Refused, SudoRefused, TimedOut, Unreachable, in_a_line

# Units; one that there is not is stopped already.
_STOP = 'set -e; for each in "$@"; do systemctl stop "$each" 2>/dev/null || [ $? -eq 5 ]; done'


def timer_and_service(unit: str) -> tuple[str, str]:
    """A timer and what it starts: an undo that has begun goes on, perhaps for minutes, when its timer is stopped."""
    return f"{unit}.timer", f"{unit}.service"


def stop(*units: str) -> Command:
    """The command that stops these units."""
    return script(_STOP, *units, label=f"systemctl stop {' '.join(units)}")


async def pending(cluster: Cluster) -> dict[str, str]:
    """Nodes where an earlier drill has left something that is still to undo itself, and what. Raises `HostError`."""
    found = await cluster.each(lambda node: _loaded(node, f"{UNIT}*"))
    return {name: unit for name, unit in found.items() if unit}


async def refuse_aside(cluster: Cluster, stack: str) -> None:
    """Raises `Refused` where a drill that was killed has a node still to be brought back, which would end more.

    A node that does not answer is passed over: one that is off has forgotten it. So is one that lets nobody be root,
    and that it is not known is told.
    """

    async def armed(node: Node) -> str:
        try:
            return await _loaded(node, *timer_and_service(ASIDE))
        except (Unreachable, TimedOut):
            return ""
        except SudoRefused as refused:
            cluster.progress(f"whether a drill has left {ASIDE}.timer nobody can tell: {in_a_line(refused)}")
            return ""

    for name, unit in (await cluster.each(armed)).items():
        if unit:
            raise Refused(
                f"a drill that did not come to its end has armed {unit}, which would end this too",
                node=name,
                remedy=f"`squid-ha node back {stack} NODE`, with the node that the drill has put aside, stops it",
            )


async def disarm_aside(cluster: Cluster) -> None:
    """Stop what a drill has armed to bring a node back; where that cannot be done, it is told."""

    async def disarm(node: Node) -> None:
        try:
            if await _loaded(node, *timer_and_service(ASIDE)):
                await node.run(stop(*timer_and_service(ASIDE)))
        except (Unreachable, TimedOut):
            return
        except HostError as trouble:
            cluster.progress(f"{ASIDE}.timer, which a drill has left, could not be stopped: {in_a_line(trouble)}")

    await cluster.each(disarm)


async def _loaded(node: Node, *patterns: str) -> str:
    """The first unit of these; empty where there is none."""
    query = command("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", *patterns, reads=True)
    lines = (await node.run(query)).stdout.strip().splitlines()
    return lines[0].split()[0] if lines else ""
