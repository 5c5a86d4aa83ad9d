"""Units that a distribution starts as soon as it has unpacked them, kept quiet while packages are installed.

A runtime mask is a link in /run: it works before the unit exists, keeps Debian's maintainer scripts from enabling and
starting it, and is gone after a boot. It also keeps deb-systemd-helper(1p) from recording the unit, and one without a
record counts as enabled: the next version of its package would enable and start it. So the record is made up for.
Facts: systemctl(1) ``mask``; deb-systemd-helper(1p) ``was-enabled``, ``update-state``, and its source for the record's
place; deb-systemd-invoke(1p), which restarts what is enabled.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.connection.cluster import Node
from providers.connection.command import Command, script
from providers.host.systemd import read_units, unit_files_command

_UNRECORDED = r"""
unrecorded() {
    [ -e "/lib/systemd/system/$1" ] && [ ! -e "/var/lib/systemd/deb-systemd-helper-enabled/$1.dsh-also" ] &&
        grep -qsF "was-enabled '$1'" /var/lib/dpkg/info/*.postinst
}
"""
# The helper does its work for maintainer scripts alone, and knows them by this variable.
_RECORD = r"""
export DPKG_MAINTSCRIPT_PACKAGE=squid-ha
for unit; do
    if unrecorded "$unit"; then deb-systemd-helper update-state "$unit"; fi
done
"""


def unrecorded(units: Sequence[str]) -> Command:
    """What prints each of these units, a line each, that the next version of its package would enable."""
    look = 'for unit; do if unrecorded "$unit"; then echo "$unit"; fi; done'
    return script(_UNRECORDED + look, *units, label="see which units an upgrade would enable", reads=True)


async def record(node: Node, units: Sequence[str]) -> None:
    """Have Debian's helper know the units as they are, so that upgrades of their packages leave them so."""
    if units:
        label = f"record {', '.join(units)} for upgrades of packages"
        await node.run(script(_UNRECORDED + _RECORD, *units, label=label))


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
    """Unmask the units, disable and stop what was enabled or started in spite of it, and have that last."""
    if not units:
        return
    await node.run(unit_files_command("unmask", units, "--runtime"))
    found = await read_units(node, units)
    loud = [unit.name for unit in found.values() if unit.enabled == "enabled" or unit.state == "active"]
    if loud:
        await node.run(unit_files_command("disable", loud, "--now"))
    await record(node, units)
