"""Time synchronisation: the service's files and unit on each node, no other service, and a clock seen to be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command
from providers.connection.errors import NotVerified
from providers.contract import Absent, Observed, Present, State
from providers.host import clocks
from providers.host.clocks import EXISTING, Reading
from providers.host.settings import (
    NodeSettings,
    UnitState,
    converge_settings,
    prune_settings,
    read_settings,
    remove_settings,
)
from providers.host.settings_kind import any_there, read_all
from providers.host.waiting import until

Service = Literal["chrony", "ntpsec", "existing"]


class NodeTime(State):
    """One node's service; ``synchronised`` is ``yes``, or ``no`` with what the service says of the clock.

    ``besides`` are units of other time services that run or are enabled: never wanted.
    """

    settings: NodeSettings
    synchronised: str = "yes"
    besides: list[str] = Field(default_factory=list[str])


class Wanted(State):
    """``max_offset`` in seconds as text (``0.5``); ``wait`` seconds that converge waits for synchronisation.

    With the service ``existing`` no settings are wanted, and whichever service runs is asked. ``clock_units`` are the
    platform's as in `clocks.UNITS`, None for these: all states meant them before there was a second platform.
    """

    nodes: dict[str, NodeTime]
    max_offset: str
    wait: str = "180"
    service: Service = "chrony"
    clock_units: dict[str, str] | None = None

    @property
    def keepers(self) -> Mapping[str, str]:
        """Every unit that keeps a clock on these nodes → its service."""
        return clocks.UNITS if self.clock_units is None else self.clock_units

    @property
    def step(self) -> Command | None:
        """What sets a clock at once; None for a service that is left alone."""
        unit = next((unit for unit, service in self.keepers.items() if service == self.service), "")
        return clocks.STEPS[self.service](unit) if unit else None


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Settings, rivals, and the service's own account; source, stratum and offset per node are facts as well."""
    settings = await read_all(cluster, {name: node.settings for name, node in wanted.nodes.items()})
    there = any_there({name: node.settings for name, node in wanted.nodes.items()}, settings)
    if wanted.service != EXISTING and not there:
        return Absent()
    readings = await cluster.each(lambda node: _read(node, wanted), list(wanted.nodes))
    nodes = {name: _observed(settings[name], reading, wanted) for name, reading in readings.items()}
    clock = {name: str(reading) for name, reading in readings.items()}
    return Present(wanted.model_copy(update={"nodes": nodes}), {"clock": clock})


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:
    """Rivals off and settings first; then wait until the clock is right.

    Raises `NotVerified` with what the service says instead.
    """

    async def settle(node: Node) -> None:
        if wanted.service == EXISTING:
            await prune_settings(cluster, node, NodeSettings())
        else:
            known = observed.values.nodes.get(node.name) if isinstance(observed, Present) else None
            await _settle(cluster, node, wanted, known or await _observe(node, wanted))
        await wait_synchronised(cluster, node, wanted)

    await cluster.each(settle, list(wanted.nodes))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Bring back files and units, those of rivals too; the clock stays right."""
    nodes = wanted.nodes
    await cluster.each(lambda node: remove_settings(cluster, node, nodes[node.name].settings), list(nodes))


async def wait_synchronised(cluster: Cluster, node: Node, wanted: Wanted) -> None:
    """Wait until the clock is within ``max_offset`` seconds of a selected source, for at most ``wait`` seconds.

    A clock that has a source but is further away is set once, because slewing a second takes hours. An existing
    service's clock is left to it.
    """
    stepped = False
    max_offset, limit = float(wanted.max_offset), float(wanted.wait)
    step = wanted.step

    async def ask() -> Reading:
        nonlocal stepped
        reading = await _read(node, wanted)
        clock = reading.clock
        if step is not None and clock.source and not clock.within(max_offset) and not stepped:
            stepped = True
            cluster.progress(f"{node.name}: setting the clock by {-clock.offset:+.3f} s")
            await node.run(step)
        return reading

    reading, right = await until(
        ask,
        lambda reading: reading.clock.within(max_offset),
        limit,
        pause=2.0,
        report=lambda reading, seconds: cluster.progress(
            f"{node.name}: waiting for the time, {reading.clock} ({seconds:.0f} of {limit:.0f} s)"
        ),
    )
    if right:
        return
    sources = ", ".join(await clocks.read_sources(node, reading.service)) or "none"
    raise NotVerified(
        f"the clock is not synchronised to within {max_offset:g} s after {limit:.0f} s: {reading.clock};"
        f" sources: {sources}",
        node=node.name,
        remedy=_remedy(reading),
    )


async def _settle(cluster: Cluster, node: Node, wanted: Wanted, found: NodeTime) -> None:
    settings = wanted.nodes[node.name].settings
    off = {name: UnitState(enabled="disabled", active="inactive") for name in found.besides}
    # One step with the node's own settings: what is pending of an earlier run is for all of them.
    every = settings.model_copy(update={"units": {**off, **settings.units}})
    await converge_settings(cluster, node, every, await read_settings(node, every) if off else found.settings)
    rivals = {name: UnitState() for name in wanted.keepers}
    await prune_settings(cluster, node, settings.model_copy(update={"units": {**rivals, **settings.units}}))


async def _observe(node: Node, wanted: Wanted) -> NodeTime:
    settings = await read_settings(node, wanted.nodes[node.name].settings)
    return _observed(settings, await _read(node, wanted), wanted)


async def _read(node: Node, wanted: Wanted) -> Reading:
    ours = wanted.nodes[node.name].settings.units
    return await clocks.read(node, wanted.service, ours, units=wanted.keepers)


def _observed(settings: NodeSettings, reading: Reading, wanted: Wanted) -> NodeTime:
    right = reading.clock.within(float(wanted.max_offset))
    return NodeTime(
        settings=settings,
        synchronised="yes" if right else f"no: {reading.clock}",
        besides=list(reading.besides),
    )


def _remedy(reading: Reading) -> str:
    ask = {"chrony": "chronyc sources -v", "ntpsec": "ntpq -p", "systemd-timesyncd": "timedatectl timesync-status"}
    if not reading.service:
        return "start a time service there, or let this site bring one: time.service: chrony"
    return f"check that the time servers answer from this node (`{ask[reading.service]}`), or raise time.max_offset"
