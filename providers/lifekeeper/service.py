"""Squid as a resource of Quick Service Protection: LifeKeeper starts and stops its unit, and asks for its status.

The kit takes a service only while it runs, and LifeKeeper must be the only one that starts it: the unit is started here
just before the resource is made, and was disabled before that. Whatever cuts this off, Squid runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import Observed
from providers.lifekeeper import making, members, removal, unit
from providers.lifekeeper.ip import extension
from providers.lifekeeper.making import extended, there
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance


class Wanted(Member):
    """``service`` is the name without ``.service``: letters and digits only (the kit's rule)."""

    service: str


def _create(wanted: Member, source: str) -> list[Step]:
    qsp = cast("Wanted", wanted)
    node = qsp.nodes[source]
    name = f"{qsp.service}.service"
    start = system(source, f"Start {qsp.service}: the kit takes only a running service", "systemctl", "start", name)
    values = {"tag": qsp.tag, "service": qsp.service, "switchback": node.switchback if node else None}
    create = Line(source, "lkcli resource create qsp", "Create Resource: Quick Service Protection", values)
    made = there(qsp.tag, source)
    return [Step(start, made), Step(create, made, unit.takeable(wanted, source, name, running=True))]


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    qsp = cast("Wanted", wanted)
    extend = extension(wanted, source, target, "qsp", "Extend: Quick Service Protection")
    stop = unit.stop(f"{qsp.service}.service", target, extended(qsp.tag, source, target), extend.ready)
    return [stop, extend]


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """How the kit stores the service's name is unknown."""
    del wanted, node, instance
    return {}


KIT = Kit(_create, _extend, _properties, "gen", "qsp")


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    return members.fixed(previous, wanted, service="the service")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The resource on each node."""
    return await members.observe(cluster, wanted, KIT)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Start the service where it belongs, protect it, extend it, tie it to what it needs."""
    source = await unit.running(cluster, f"{wanted.service}.service", list(wanted.nodes))
    await members.converge(cluster, wanted, KIT, source=source)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take it out of service, which stops Squid, and delete it, if this site made it."""
    await removal.remove(cluster, wanted)


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return [*unit.disabled(f"{wanted.service}.service", wanted.nodes), *making.lines(wanted, KIT)]
