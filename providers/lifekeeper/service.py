"""Squid as a resource of Quick Service Protection: LifeKeeper starts and stops its unit, and asks for its status.

The kit takes a service only while it runs, and LifeKeeper must be the only one that starts it: the unit is started here
just before the resource is made, and was disabled before that. Whatever cuts this off, Squid runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.contract import Observed
from providers.lifekeeper import making, members, removal, steps
from providers.lifekeeper.ip import extension
from providers.lifekeeper.making import extended, there
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step, Views
from providers.lifekeeper.views import Instance


class Wanted(Member):
    """``service`` is the name without ``.service``: letters and digits only (the kit's rule)."""

    service: str


def _create(wanted: Member, source: str) -> list[Step]:
    qsp = cast("Wanted", wanted)
    node = qsp.nodes[source]
    unit = f"{qsp.service}.service"
    start = system(source, f"Start {qsp.service}: the kit takes only a running service", "systemctl", "start", unit)
    values = {"tag": qsp.tag, "service": qsp.service, "switchback": node.switchback if node else None}
    create = Line(source, "lkcli resource create qsp", "Create Resource: Quick Service Protection", values)
    made = there(qsp.tag, source)
    return [Step(start, made), Step(create, made, _takeable(source, unit))]


def _takeable(source: str, unit: str) -> steps.Ready:
    async def ready(cluster: Cluster, seen: Views) -> None:
        del seen
        node = cluster.node(source)
        asked = command("systemctl", "show", "--property=ActiveState,UnitFileState", unit, reads=True)
        shown = dict(line.split("=", 1) for line in (await node.run(asked)).stdout.splitlines() if "=" in line)
        if shown.get("ActiveState") != "active":
            raise Refused(
                f"{unit} is {shown.get('ActiveState') or 'unknown'}, and Quick Service Protection takes only a service "
                "that runs",
                node=source,
                remedy=f"see `journalctl -u {unit}`",
            )
        if shown.get("UnitFileState") == "enabled":
            raise Refused(
                f"{unit} is started at boot by systemd, and LifeKeeper must be the only one that starts it",
                node=source,
                remedy=f"`systemctl disable {unit}`",
            )

    return ready


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    qsp = cast("Wanted", wanted)
    page = f"Stop {qsp.service} on the standby node: LifeKeeper starts it there when it is needed"
    stop = system(target, page, "systemctl", "stop", f"{qsp.service}.service")
    extend = extension(wanted, source, target, "qsp", "Extend: Quick Service Protection")
    # Stopped only where the extension may follow: else Squid would be dead there for nothing.
    return [Step(stop, extended(qsp.tag, source, target), extend.ready), extend]


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
    await members.converge(cluster, wanted, KIT, source=await _running(cluster, wanted))


async def _running(cluster: Cluster, wanted: Wanted) -> str:
    """The one node on which the service runs outside of LifeKeeper; '' if that is none, or more than one."""
    asked = command("systemctl", "is-active", f"{wanted.service}.service", ok=None, reads=True)
    told = await cluster.each(lambda node: node.run(asked), list(wanted.nodes))
    active = [name for name, answer in told.items() if answer.stdout.strip() == "active"]
    return active[0] if len(active) == 1 else ""


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take it out of service, which stops Squid, and delete it, if this site made it."""
    await removal.remove(cluster, wanted)


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return making.lines(wanted, KIT)
