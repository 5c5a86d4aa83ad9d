"""Which nodes take part, and which were fenced: what a drill asks of the engine beside the service itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.connection.answers import NotUnderstood
from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.pacemaker import live, monitor
from providers.pacemaker.moments import seconds

SLACK = 10.0
"""Seconds by which the clocks of a node and of this machine may differ: the engine's history is by the node's."""


@dataclass(frozen=True)
class Fencing:
    """One entry of the history: who, how it ended (`success`, `failed`, `pending`), and when (seconds, epoch)."""

    node: str
    status: str
    completed: float | None


async def online(cluster: Cluster) -> frozenset[str]:
    """The nodes that take part and can be given work. Raises `Unknown` where no node can tell."""
    return frozenset((await live.read(cluster)).monitor.online())


async def fenced(cluster: Cluster, node: str, since: float) -> bool:
    """Whether ``node`` was fenced with success since then. Raises `Unknown` where no node can tell."""
    current = await live.read(cluster)
    query = command("crm_mon", "--output-as=xml", "--one-shot", "--fence-history=3", reads=True)
    said = (await current.node.run(query)).stdout
    try:
        history = parse(said)
    except ValueError as error:
        raise NotUnderstood("what crm_mon says of fencing", node=current.node.name) from error
    return any(
        each.node == node and each.status == "success" and each.completed and each.completed >= since - SLACK
        for each in history
    )


def parse(output: str) -> Sequence[Fencing]:
    """The history that crm_mon prints as XML. Raises `ValueError` where it is none."""
    root = monitor.document(output, "crm_mon's history of fencing")
    return [
        Fencing(event.get("target", ""), event.get("status", ""), seconds(event.get("completed", "")))
        for event in root.iter("fence_event")
    ]
