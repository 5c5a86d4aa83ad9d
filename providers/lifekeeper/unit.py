"""Squid's unit of systemd under LifeKeeper, which must be the only one that starts it, by whichever kit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.lifekeeper import hierarchy, steps
from providers.lifekeeper.resource import Member
from providers.lifekeeper.speaking import Line, system
from providers.lifekeeper.steps import Step, Views


def disabled(unit: str, names: Iterable[str]) -> list[Line]:
    """What Squid's configuration (`providers.squid.config`) does to it before: from then on no boot starts it."""
    page = f"Have no boot start {unit.removesuffix('.service')}: LifeKeeper must be the only one that starts it"
    return [system(name, page, "systemctl", "disable", unit) for name in names]


def stop(unit: str, node: str, done: steps.Done, ready: steps.Ready | None) -> Step:
    """Stop it where it is extended to. Only where the extension may follow: else it would be dead there for nothing."""
    page = f"Stop {unit.removesuffix('.service')} on the standby node: LifeKeeper starts it there when it is needed"
    return Step(system(node, page, "systemctl", "stop", unit), done, ready)


def takeable(source: str, unit: str, *, running: bool) -> steps.Ready:
    """systemd does not start it at boot; ``running``: the kit takes only one that runs. Raises `Refused`."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        del seen
        asked = command("systemctl", "show", "--property=ActiveState,UnitFileState", unit, reads=True)
        told = (await cluster.node(source).run(asked)).stdout
        shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if running and shown.get("ActiveState") != "active":
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


def refuse_second(wanted: Member, seen: Views) -> None:
    """Raises `Refused` where the resource is still to be made, and another one looks after Squid."""
    if any(wanted.tag in view.instances for view in seen.values()):
        return
    for name, view in seen.items():
        other = hierarchy.second(view, wanted.tag, wanted.beside)
        if other is not None:
            raise Refused(
                f"{other.tag} ({other.app}/{other.type}) looks after Squid already, and two resources would both start "
                "and stop it",
                node=name,
                remedy="declare the one that is there, by its tag and its kit (`lifekeeper.tags.squid`, "
                "`lifekeeper.squid_kit`), or delete it in LifeKeeper's own interface",
            )


async def running(cluster: Cluster, unit: str, names: Sequence[str]) -> str:
    """The one node on which it runs, by LifeKeeper or not; '' if that is none, or more than one."""
    asked = command("systemctl", "is-active", unit, ok=None, reads=True)
    told = await cluster.each(lambda node: node.run(asked), list(names))
    active = [name for name, answer in told.items() if answer.stdout.strip() == "active"]
    return active[0] if len(active) == 1 else ""
