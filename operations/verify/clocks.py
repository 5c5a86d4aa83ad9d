"""The nodes' clocks: each against its source, and the two against each other."""

from __future__ import annotations

import time
from dataclasses import dataclass

from declaration.quantities import Duration
from declaration.site import Site
from declaration.time import Time
from operations.verify.model import Check
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.host import clocks

_PAIR = 2
_NOW = command("date", "+%s.%N", reads=True)


@dataclass(frozen=True)
class Difference:
    """How far a node's clock is from this machine's, in seconds, and by how much that may be wrong."""

    seconds: float
    uncertain: float


async def checks(cluster: Cluster, site: Site) -> list[Check]:
    """A check per node, where the site declares time; and one of the pair."""
    made: list[Check] = []
    service = site.time.service if site.time is not None else clocks.EXISTING
    readings = await cluster.each(lambda node: clocks.read(node, service))
    limit = site.time.max_offset if site.time is not None else _default_offset()
    for name, reading in readings.items():
        if site.time is not None:
            good = reading.clock.within(limit.seconds)
            made.append(Check(name="clock", where=name, passed=good, seen=str(reading)))
    if len(readings) == _PAIR:
        made.append(apart(await cluster.each(difference), 2 * limit.seconds))
    return made


def apart(found: dict[str, Difference], limit: float) -> Check:
    """Two clocks that are each right are at most twice as far apart as one may be off.

    What cannot be told that exactly has not been seen to be right.
    """
    (one, left), (two, right) = found.items()
    seconds = abs(left.seconds - right.seconds)
    uncertain = left.uncertain + right.uncertain
    return Check(
        name="clocks of both",
        where=f"{one}, {two}",
        passed=seconds - uncertain <= limit and uncertain <= limit,
        seen=f"{seconds:.3f} s apart, give or take {uncertain:.3f} s; at most {limit:g} s",
    )


async def difference(node: Node) -> Difference:
    """One question; the answer was true at some time between asking and hearing it."""
    # The first command of a connection pays for opening it.
    await node.run(_NOW)
    asked = time.time()
    told = float((await node.run(_NOW)).stdout)
    heard = time.time()
    return Difference(told - (asked + heard) / 2, (heard - asked) / 2)


def _default_offset() -> Duration:
    return Time.model_fields["max_offset"].default
