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


def takeable(wanted: Member, source: str, unit: str, *, running: bool) -> steps.Ready:
    """Nobody else looks after it, and systemd does not start it; ``running``: the kit takes only one that runs."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        _refuse_second(wanted, source, seen)
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


def _refuse_second(wanted: Member, source: str, seen: Views) -> None:
    other = hierarchy.second(seen[source], wanted.tag, wanted.beside)
    if other is not None:
        raise Refused(
            f"{other.tag} ({other.app}/{other.type}) looks after Squid already, and two resources would both start and "
            "stop it",
            node=source,
            remedy="`lifekeeper.squid_kit` does not change in place: declare the kit that is there with its tag "
            "(`lifekeeper.tags.squid`), or take the resource away first, with the service down meanwhile: `pulumi "
            "destroy --target` of it and of the address above it",
        )


async def running(cluster: Cluster, unit: str, names: Sequence[str]) -> str:
    """The one node on which it runs, by LifeKeeper or not; '' if that is none, or more than one."""
    asked = command("systemctl", "is-active", unit, ok=None, reads=True)
    told = await cluster.each(lambda node: node.run(asked), list(names))
    active = [name for name, answer in told.items() if answer.stdout.strip() == "active"]
    return active[0] if len(active) == 1 else ""
