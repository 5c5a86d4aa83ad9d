"""A test alert from every node, over every channel that the site declares."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from blueprint.alerts import PROGRAM
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import SILENT

LIMIT = 120
"""Seconds for all channels of a node; each of them gives up after some 30."""


class Try(BaseModel):
    """One channel of one node: ``channel`` is '' and ``reached`` False where the node could not be asked."""

    node: str
    channel: str
    delivered: bool
    said: str = ""
    reached: bool = True


async def test(cluster: Cluster) -> list[Try]:
    """Send a test alert from each node. A node that cannot be asked is part of the result, no error."""
    found = await cluster.each(_of_node)
    return [each for tries in found.values() for each in tries]


async def _of_node(node: Node) -> list[Try]:
    try:
        done = await node.run(command(PROGRAM, "test", ok=None, timeout=LIMIT))
    except SILENT as error:
        return [Try(node=node.name, channel="", delivered=False, said=str(error), reached=False)]
    tries = parse(node.name, done.stdout)
    if tries:
        return tries
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.exit_code}"]
    said = f"alerts are not set up on this node ({last[0]}); run `pulumi up`"
    return [Try(node=node.name, channel="", delivered=False, said=said)]


def parse(node: str, output: str) -> list[Try]:
    """The lines of ``alert test``: ``CHANNEL delivered``, or ``CHANNEL failed REASON``."""
    found: list[Try] = []
    for line in output.splitlines():
        channel, _, rest = line.partition(" ")
        verdict, _, reason = rest.partition(" ")
        if verdict in {"delivered", "failed"}:
            found.append(Try(node=node, channel=channel, delivered=verdict == "delivered", said=reason))
    return found


def render(tries: Sequence[Try]) -> str:
    """A line per node and channel."""
    lines: list[str] = []
    for each in tries:
        where = f"{each.node}: {each.channel}".rstrip(": ")
        lines.append(f"{where}: {'delivered' if each.delivered else f'not delivered: {each.said}'}")
    return "\n".join(lines)
