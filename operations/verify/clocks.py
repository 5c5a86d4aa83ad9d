"""The nodes' clocks: each against its source, and the two against each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from blueprint.platforms import PLATFORMS
from declaration.quantities import Duration
from declaration.site import Site
from declaration.time import Time
from operations.verify.asking import Answers, ask, require_all
from operations.verify.model import Check
from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import HostError, in_a_line
from providers.host import clocks

_PAIR = 2
_NOW = command("date", "+%s.%N", reads=True)


@dataclass(frozen=True)
class Difference:
    """How far a node's clock is from this machine's, in seconds, and by how much that may be wrong."""

    seconds: float
    uncertain: float


async def checks(cluster: Cluster, site: Site) -> list[Check]:
    """A check per node, where the site declares time; and one of the pair. Raises `HostError` where one is silent."""
    made, silent = await look(cluster, site)
    require_all(silent)
    return made


async def look(cluster: Cluster, site: Site) -> tuple[list[Check], Mapping[str, HostError]]:
    """The same checks, failed where a node could not be asked; and node → why it could not."""
    limit = site.time.max_offset if site.time is not None else _default_offset()
    made: list[Check] = []
    silent: dict[str, HostError] = {}
    if site.time is not None:
        service, units = site.time.service, PLATFORMS[site.platform].clock_units
        readings = await ask(cluster, lambda node: clocks.read(node, service, units=units))
        made += [_right(name, readings, limit.seconds) for name in cluster.nodes]
        silent |= readings.silent
    if len(cluster.nodes) == _PAIR:
        found = await ask(cluster, difference)
        made.append(_not_compared(cluster, found.silent) if found.silent else apart(found.told, 2 * limit.seconds))
        silent |= {name: error for name, error in found.silent.items() if name not in silent}
    return made, silent


def _right(name: str, readings: Answers[clocks.Reading], limit: float) -> Check:
    if name in readings.silent:
        return Check(name="clock", where=name, passed=False, seen=in_a_line(readings.silent[name], name))
    reading = readings.told[name]
    return Check(name="clock", where=name, passed=reading.clock.within(limit), seen=str(reading))


def _not_compared(cluster: Cluster, silent: Mapping[str, HostError]) -> Check:
    why = "; ".join(f"{name} could not be asked: {in_a_line(error, name)}" for name, error in silent.items())
    return Check(name="clocks of both", where=", ".join(cluster.nodes), passed=False, seen=f"not compared: {why}")


def apart(found: Mapping[str, Difference], limit: float) -> Check:
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
    """One question; the answer was true at some time between asking and hearing it.

    Raises `Unknown` where it is no time.
    """
    # The first command of a connection pays for opening it.
    await node.run(_NOW)
    asked = time.time()
    answer = await node.run(_NOW)
    heard = time.time()
    with told_by(node.name):
        told = _seconds(answer.stdout)
    return Difference(told - (asked + heard) / 2, (heard - asked) / 2)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise not_understood("what `date` says") from None


def _default_offset() -> Duration:
    return Time.model_fields["max_offset"].default
