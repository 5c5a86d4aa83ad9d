"""A resource of the Generic Application kit: scripts of this site's own, put on the nodes and copied by the kit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import Absent, Observed, Present
from providers.lifekeeper import making, members, removal, scripts
from providers.lifekeeper.ip import extension
from providers.lifekeeper.making import there
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.scripts import Scripts
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance

APP, TYPE = "gen", "app"


class Wanted(Member, Scripts):
    """The resource and its scripts."""


def creation(wanted: Member, given: Mapping[str, str], source: str) -> Step:
    """The step that makes the resource of scripts at these paths, by their names."""
    node = wanted.nodes[source]
    values = {"tag": wanted.tag, **given, "switchback": node.switchback if node else None}
    line = Line(source, "lkcli resource create gen", "Create Resource: Generic Application", values)
    return Step(line, there(wanted.tag, source))


def _create(wanted: Member, source: str) -> list[Step]:
    return [creation(wanted, cast("Wanted", wanted).scripts, source)]


def extended(wanted: Member, source: str, target: str) -> Step:
    """The step that extends it, with its scripts."""
    return extension(wanted, source, target, "gen", "Extend: Generic Application")


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    return [extended(wanted, source, target)]


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    del wanted, node, instance
    return {}


KIT = Kit(_create, _extend, _properties, APP, TYPE)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The resource and its scripts on each node."""
    observed = await members.observe(cluster, wanted, KIT)
    if isinstance(observed, Absent):
        return observed
    having = [name for name, member in observed.values.nodes.items() if member is not None]
    found = await scripts.read(cluster, wanted.tag, wanted, having)
    return Present(
        observed.values.model_copy(update={"settings": found.settings, "copies": found.copies}), observed.facts
    )


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """The scripts first, then the resource."""
    await scripts.put(cluster, wanted)
    await members.converge(cluster, wanted, KIT)
    await scripts.renew(cluster, wanted.tag, wanted, "`lifekeeper.generic`")


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """The resource, then the scripts."""
    await removal.remove(cluster, wanted, forget=False)
    await scripts.remove(cluster, list(wanted.settings))
    await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.settings))


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return making.lines(wanted, KIT)
