"""Units that a distribution starts as soon as it has unpacked them, kept quiet while packages are installed.

A runtime mask is a link in /run: it works before the unit exists, keeps Debian's maintainer scripts from enabling and
starting it, and is gone after a boot. Facts: systemctl(1) ``mask``; deb-systemd-helper, which asks for a unit's preset.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.connection.cluster import Node
from providers.host.systemd import read_units, unit_files_command


async def idle(node: Node, units: Sequence[str]) -> list[str]:
    """Those units that nobody has enabled, started or masked: only these may be kept quiet."""
    found = await read_units(node, units)
    return [
        unit.name for unit in found.values() if unit.state != "active" and unit.enabled not in ("enabled", "masked")
    ]


async def silence(node: Node, units: Sequence[str]) -> None:
    """Mask the units until `release`, or the next boot."""
    if units:
        await node.run(unit_files_command("mask", units, "--runtime"))


async def release(node: Node, units: Sequence[str]) -> None:
    """Unmask the units, and disable and stop what was enabled or started in spite of it."""
    if not units:
        return
    await node.run(unit_files_command("unmask", units, "--runtime"))
    found = await read_units(node, units)
    loud = [unit.name for unit in found.values() if unit.enabled == "enabled" or unit.state == "active"]
    if loud:
        await node.run(unit_files_command("disable", loud, "--now"))
