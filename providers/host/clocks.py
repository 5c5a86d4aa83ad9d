"""Reading a node's clock, by the service that keeps it, and seeing which services keep it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from providers.connection.cluster import Node
from providers.connection.command import Command, Result
from providers.host import chrony, ntpsec, timesyncd
from providers.host.clock import Clock
from providers.host.systemd import UnitFound, parse_units, units_command

EXISTING = "existing"
"""In the place of a service's name: whichever runs."""


class Service(Protocol):
    """How a time service is asked; the modules `chrony`, `ntpsec` and `timesyncd` are that."""

    @property
    def ASK(self) -> tuple[Command, ...]:  # noqa: N802 a module's constant
        """The commands that tell of the clock."""
        ...

    @property
    def ASK_SOURCES(self) -> Command:  # noqa: N802 a module's constant
        """The command that lists the sources."""
        ...

    def clock(self, results: Sequence[Result]) -> Clock:
        """What `ASK` gave."""
        ...

    def parse_sources(self, text: str, exit_code: int = 0) -> list[str]:
        """One text per source, from what `ASK_SOURCES` gave."""
        ...


SERVICES: Mapping[str, Service] = {
    "chrony": cast("Service", chrony),
    "ntpsec": cast("Service", ntpsec),
    timesyncd.NAME: cast("Service", timesyncd),
}
UNITS: Mapping[str, str] = {
    "chrony.service": "chrony",
    "ntpsec.service": "ntpsec",
    timesyncd.UNIT: timesyncd.NAME,
    "openntpd.service": "",
}
"""Units that keep a clock where a state names none, Debian's; those without a service's name cannot be read."""
STEPS: Mapping[str, Callable[[str], Command]] = {"chrony": chrony.step, "ntpsec": ntpsec.step}
"""What sets a clock at once that is too far off, by the service's unit."""


@dataclass(frozen=True)
class Reading:
    """``service`` keeps the clock, '' if none does; ``besides`` are units that keep it too, or will after a boot."""

    clock: Clock
    service: str
    besides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.service}: {self.clock}" if self.service else str(self.clock)


async def read(node: Node, service: str, ours: Collection[str] = (), *, units: Mapping[str, str] = UNITS) -> Reading:
    """The clock of a node by ``service``, or by whichever runs; ``ours`` are units that are no rivals.

    ``units`` are those that keep a clock there, as in `UNITS`.

    One round trip, two where the service has to be found out first. A service that does not answer, or none at all, is
    the clock's problem, not an error.
    """
    look = units_command(list(units))
    if service == EXISTING:
        found = parse_units((await node.run(look)).stdout, list(units))
        return await _existing(node, found, units)
    asked = SERVICES[service]
    first, *rest = await node.batch([look, *asked.ASK])
    found = parse_units(first.stdout, list(units))
    besides = tuple(name for name, unit in found.items() if name not in ours and _keeps(unit))
    return Reading(asked.clock(rest), service, besides)


async def read_sources(node: Node, service: str) -> list[str]:
    """The sources as the service ``service`` sees them, one text each; none where there is no service."""
    if service not in SERVICES:
        return []
    result = await node.run(SERVICES[service].ASK_SOURCES)
    return SERVICES[service].parse_sources(result.stdout, result.exit_code)


async def _existing(node: Node, found: Mapping[str, UnitFound], units: Mapping[str, str]) -> Reading:
    running = [name for name, unit in found.items() if unit.exists and unit.state == "active"]
    known = next((units[name] for name in running if units[name]), "")
    if known:
        return Reading(SERVICES[known].clock(await node.batch(SERVICES[known].ASK)), known)
    text = f"{running[0]} runs, whose clock cannot be read" if running else "no time service runs"
    return Reading(Clock(problem=text), "")


def _keeps(unit: UnitFound) -> bool:
    return unit.exists and (unit.state == "active" or unit.enabled == "enabled")
