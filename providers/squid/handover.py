"""Squid passing from the boot's hands into the engine's, and what of it is not done in place.

The boot's Squid is enabled and kept running by systemd alone; the engine's is disabled, and whether it runs is not for
the configuration to say. One that runs is left running when it changes hands: the engine's first look finds it, so
nobody is cut off. What the engine must never find is a second one, because it would stop both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.host import phases
from providers.host.settings import NodeSettings, UnitState, record_settings
from providers.host.systemd import act


def of_engine(unit: UnitState | None) -> bool:
    """Whether the engine starts and stops this unit."""
    return unit is not None and unit.enabled == "disabled" and unit.active is None


def of_boot(unit: UnitState | None) -> bool:
    """Whether systemd alone keeps this unit running."""
    return unit is not None and unit.active == "active"


def refusal(before: Sequence[UnitState | None], after: Sequence[UnitState | None], mounts: Sequence[str]) -> str | None:
    """Why Squid does not pass from ``before`` to ``after`` in place; None where it does. One unit state per node."""
    if any(map(of_engine, before)) and any(map(of_boot, after)):
        return phases.TO_ONE_NODE
    if any(map(of_boot, before)) and any(map(of_engine, after)) and mounts:
        return phases.TWO_STEPS_AT_ONCE
    return None


async def leave_one(
    cluster: Cluster, unit: str, nodes: Mapping[str, NodeSettings], active: Sequence[str], known: Sequence[str]
) -> list[str]:
    """Stop every copy of the engine's Squid but the one that this site has had until now; returns who still runs it.

    ``known`` are the nodes on which this site has configured Squid before. Where that does not tell which copy is the
    site's (both nodes have been the engine's for long), it is the engine's to judge, and nothing is stopped.
    """
    if len(active) < 2 or not all(of_engine(settings.units.get(unit)) for settings in nodes.values()):  # noqa: PLR2004
        return list(active)
    ours = [name for name in active if name in known]
    if len(ours) > 1:
        return list(active)
    kept = ours[0] if ours else min(active)
    for name in active:
        if name != kept:
            node = cluster.node(name)
            cluster.progress(f"{name}: Squid ends, because it runs on {kept} and two would be too many for the engine")
            await record_settings(cluster, node, nodes[name])
            await act(node, "stop", unit)
    return [kept]


async def refuse_unmounted(node: Node, mounts: Sequence[str]) -> None:
    """Raises `Refused` where Squid runs and one of these is not mounted: it would end when it opened its log there."""
    for path in mounts:
        look = command("mountpoint", "-q", path, ok=None, reads=True)
        if (await node.run(look)).exit_code != 0:
            raise Refused(
                f"Squid runs here, but {path}, where it shall log, is not mounted; nothing was changed on any node",
                node=node.name,
                remedy=f"bring the filesystem to {node.name} (see `squid-ha status`) and run `pulumi up` again",
            )
