"""Squid as a resource of LifeKeeper: by Quick Service Protection, or by scripts as a Generic Application.

LifeKeeper must be the only one that starts the unit: it was disabled before. Quick Service Protection takes a service
only while it runs, so the unit is started just before the resource is made; whatever cuts this off, Squid runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import Absent, Observed, Present
from providers.host.settings import NodeSettings
from providers.lifekeeper import generic, making, members, removal, scripts, unit
from providers.lifekeeper.ip import extension
from providers.lifekeeper.making import extended, there
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.scripts import Scripts
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance


class Wanted(Member):
    """``service`` is the name without ``.service``: letters and digits only (the rule of Quick Service Protection).

    The rest is None where that kit looks after it; else as `providers.lifekeeper.scripts` has it, for the Generic
    Application kit.
    """

    service: str
    scripts: dict[str, str] | None = None
    settings: dict[str, NodeSettings] | None = None
    copies: dict[str, str] | None = None

    @property
    def unit(self) -> str:
        """systemd's name of it."""
        return f"{self.service}.service"

    @property
    def application(self) -> Scripts | None:
        """The scripts together; None: Quick Service Protection."""
        if self.scripts is None:
            return None
        return Scripts(scripts=self.scripts, settings=self.settings or {}, copies=self.copies or {})

    @property
    def squid_kit(self) -> str:
        """As `lifekeeper.squid_kit` says it."""
        return "qsp" if self.application is None else "generic"


def _create(wanted: Member, source: str) -> list[Step]:
    qsp = cast("Wanted", wanted)
    node = qsp.nodes[source]
    start = system(source, f"Start {qsp.service}: the kit takes only a running service", "systemctl", "start", qsp.unit)
    values = {"tag": qsp.tag, "service": qsp.service, "switchback": node.switchback if node else None}
    create = Line(source, "lkcli resource create qsp", "Create Resource: Quick Service Protection", values)
    made = there(qsp.tag, source)
    return [Step(start, made), Step(create, made, unit.takeable(source, qsp.unit, running=True))]


def _create_application(wanted: Member, source: str) -> list[Step]:
    squid = cast("Wanted", wanted)
    given = squid.application.scripts if squid.application else {}
    create = generic.creation(squid, given, source)
    return [Step(create.line, create.done, unit.takeable(source, squid.unit, running=False))]


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    return _stopped_first(wanted, source, target, extension(wanted, source, target, "qsp", _EXTEND))


def _extend_application(wanted: Member, source: str, target: str) -> list[Step]:
    return _stopped_first(wanted, source, target, generic.extended(wanted, source, target))


def _stopped_first(wanted: Member, source: str, target: str, extend: Step) -> list[Step]:
    stop = unit.stop(cast("Wanted", wanted).unit, target, extended(wanted.tag, source, target), extend.ready)
    return [stop, extend]


_EXTEND = "Extend: Quick Service Protection"
_DECLARED = "`lifekeeper.squid_scripts`"


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """How the kit stores the service's name is unknown."""
    del wanted, node, instance
    return {}


KIT = Kit(_create, _extend, _properties, "gen", "qsp")
APPLICATION = Kit(_create_application, _extend_application, _properties, generic.APP, generic.TYPE)


def _kit(wanted: Wanted) -> Kit:
    return APPLICATION if wanted.application else KIT


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    return members.fixed(previous, wanted, squid_kit="`lifekeeper.squid_kit`", service="the service")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The resource on each node, with its scripts where it has such."""
    observed = await members.observe(cluster, wanted, _kit(wanted))
    if isinstance(observed, Absent) or wanted.application is None:
        return observed
    having = [name for name, member in observed.values.nodes.items() if member is not None]
    found = await scripts.read(cluster, wanted.tag, wanted.application, having)
    return Present(
        observed.values.model_copy(update={"settings": found.settings, "copies": found.copies}), observed.facts
    )


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Start the service where it belongs, protect it, extend it, tie it to what it needs.

    Raises `Refused` where another resource looks after Squid, or this one is somebody's with other scripts than
    declared, before anything is written.
    """
    seen = await members.read(cluster, wanted)
    members.refuse_unlike(wanted, seen, _kit(wanted))
    unit.refuse_second(wanted, seen)
    if wanted.application:
        having = [name for name, view in seen.items() if wanted.tag in view.instances]
        await scripts.refuse_theirs(cluster, wanted.tag, wanted.application, _DECLARED, having)
        await scripts.put(cluster, wanted.application)
    source = await unit.running(cluster, wanted.unit, list(wanted.nodes))
    await members.converge(cluster, wanted, _kit(wanted), source=source)
    if wanted.application:
        await scripts.renew(cluster, wanted.tag, wanted.application, _DECLARED)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take it out of service, which stops Squid, and delete it, if this site made it; then scripts, if there ever were
    any: of a kit that was declared before, the journal alone knows."""
    await removal.remove(cluster, wanted, forget=False)
    await scripts.remove(cluster, list(wanted.nodes))
    await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return [*unit.disabled(wanted.unit, wanted.nodes), *making.lines(wanted, _kit(wanted))]
