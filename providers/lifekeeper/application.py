"""Squid as a resource of the Generic Application kit: LifeKeeper starts, stops and checks it by scripts.

LifeKeeper must be the only one that starts the unit, as with Quick Service Protection: where Squid serves when the
resource is made, it is made there, and on the standby node it is stopped just before the resource is extended to it.
"""

from __future__ import annotations

from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import Observed
from providers.lifekeeper import generic, making, members, unit
from providers.lifekeeper.making import extended
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step


class Wanted(generic.Wanted):
    """``unit``: what the scripts start and stop, a unit of systemd."""

    unit: str


def _create(wanted: Member, source: str) -> list[Step]:
    squid = cast("Wanted", wanted)
    (create,) = generic.create(wanted, source)
    return [Step(create.line, create.done, unit.takeable(wanted, source, squid.unit, running=False))]


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    squid = cast("Wanted", wanted)
    (extend,) = generic.extend(wanted, source, target)
    return [unit.stop(squid.unit, target, extended(squid.tag, source, target), extend.ready), extend]


KIT = Kit(_create, _extend, generic.KIT.properties, generic.KIT.app, generic.KIT.type)


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    return members.fixed(previous, wanted, unit="the unit")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The resource and its scripts on each node."""
    return await generic.observe(cluster, wanted)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """The scripts, then the resource where Squid runs, extended, tied to what it needs."""
    await generic.make(cluster, wanted, KIT, source=await unit.running(cluster, wanted.unit, list(wanted.nodes)))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take it out of service, which stops Squid, and delete it, if this site made it; then the scripts."""
    await generic.remove(cluster, wanted)


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return [*unit.disabled(wanted.unit, wanted.nodes), *making.lines(wanted, KIT)]
