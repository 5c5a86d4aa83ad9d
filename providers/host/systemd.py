"""systemd units of a node: all read by one command, and brought to a state with a deadline.

Facts: systemctl(1) ``show`` answers for every unit asked, in the order asked, separated by empty lines, also for
units that do not exist (``LoadState=not-found``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Node
from providers.connection.command import Command, command
from providers.connection.errors import CommandFailed, TimedOut

SETTLE_WITHIN = 90.0
"""Seconds a unit may take to leave ``activating`` or ``deactivating``."""
_POLL = 0.5
_ENABLED = {
    "enabled": "enabled",
    "enabled-runtime": "disabled",
    "disabled": "disabled",
    "indirect": "disabled",
    "linked": "disabled",
    "linked-runtime": "disabled",
    "masked": "masked",
    "masked-runtime": "masked",
    "static": "static",
    "generated": "static",
    "transient": "static",
    "alias": "static",
}


@dataclass(frozen=True)
class UnitFound:
    """A unit as systemd sees it. ``enabled`` '' where there is no unit file; ``active`` is the raw ActiveState."""

    name: str
    exists: bool
    enabled: str
    active: str
    sub: str
    needs_reload: bool

    @property
    def settled(self) -> bool:
        """Whether it is neither starting nor stopping. One that systemd keeps restarting is a failed one."""
        return self.active not in ("activating", "deactivating") or self.sub.startswith("auto-restart")

    @property
    def state(self) -> str:
        """``active``, ``inactive`` or ``failed``; only meaningful when settled."""
        if self.active in ("active", "reloading", "refreshing"):
            return "active"
        return "failed" if self.active == "failed" or self.sub.startswith("auto-restart") else "inactive"


def units_command(names: Sequence[str]) -> Command:
    """The command that reads these units; `parse_units` reads its output."""
    properties = "LoadState,UnitFileState,ActiveState,SubState,NeedDaemonReload"
    return command("systemctl", "show", f"--property={properties}", "--", *names, reads=True)


def parse_units(output: str, names: Sequence[str]) -> dict[str, UnitFound]:
    """Each unit's state. Raises `Unknown` where systemctl says something else, or not of every unit."""
    try:
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in output.strip().split("\n\n")]
        return {name: _unit(name, block) for name, block in zip(names, blocks, strict=True)}
    except (ValueError, KeyError) as error:
        raise not_understood(f"what systemctl says of {', '.join(names)}") from error


def _unit(name: str, block: dict[str, str]) -> UnitFound:
    load = block["LoadState"]
    enabled = "masked" if load == "masked" else _ENABLED.get(block["UnitFileState"], "")
    reload = block["NeedDaemonReload"] == "yes"
    return UnitFound(name, load != "not-found", enabled, block["ActiveState"], block["SubState"], reload)


async def read_units(node: Node, names: Sequence[str]) -> dict[str, UnitFound]:
    """Each unit's state, in one round trip."""
    if not names:
        return {}
    (result,) = await node.batch([units_command(names)])
    with told_by(node.name):
        return parse_units(result.stdout, names)


async def settled(node: Node, name: str, *, within: float = SETTLE_WITHIN) -> UnitFound:
    """The unit once it neither starts nor stops. Raises `TimedOut`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        unit = (await read_units(node, [name]))[name]
        if unit.settled:
            return unit
        if loop.time() > deadline:
            raise TimedOut(f"{name} is still {unit.active} after {within:g} s", node=node.name)
        await asyncio.sleep(_POLL)


async def reload_units(node: Node) -> None:
    """Have systemd read unit files again."""
    await node.run(command("systemctl", "daemon-reload"))


def unit_files_command(verb: str, units: Sequence[str], *options: str) -> Command:
    """``systemctl enable``, ``disable``, ``mask`` … of units, the links in ``/etc/rc?.d`` left as they are.

    systemd does not read those of a script beside which there is a unit; to rewrite them takes longer than all the rest
    (``SYSTEMCTL_SKIP_SYSV``: https://systemd.io/ENVIRONMENT/).
    """
    line = " ".join(["systemctl", verb, *options, "--", *units])
    return command("env", "SYSTEMCTL_SKIP_SYSV=1", "systemctl", verb, *options, "--", *units, label=line)


async def set_enabled(node: Node, unit: UnitFound, wanted: str) -> None:
    """Enable, disable or mask; a unit that is masked is unmasked first. ``static`` cannot be made, only unmasked."""
    if unit.enabled == wanted:
        return
    if unit.enabled == "masked":
        await node.run(unit_files_command("unmask", [unit.name]))
    verb = {"enabled": "enable", "disabled": "disable", "masked": "mask"}.get(wanted)
    if verb:
        await node.run(unit_files_command(verb, [unit.name]))


async def act(node: Node, verb: str, name: str, *, timeout: float = 120.0) -> None:
    """``start``, ``stop``, ``restart``, ``reload`` … and see that it got there; else the unit's last log lines."""
    wanted = ("inactive", "failed") if verb == "stop" else ("active",)
    done = await node.run(command("systemctl", verb, "--", name, timeout=timeout, ok=None))
    unit = await settled(node, name)
    if done.exit_code == 0 and unit.state in wanted:
        return
    read = command("journalctl", "-u", name, "-n", "3", "--no-pager", "-o", "cat", reads=True, ok=None)
    lines = (await node.run(read)).stdout.strip().splitlines()
    said = done.stderr.strip().splitlines()[:1]
    raise CommandFailed(
        node.name,
        f"systemctl {verb} {name}",
        done.exit_code,
        "\n".join([*said, f"{name} is {unit.active} ({unit.sub}); the last lines of its log:", *lines]),
        remedy=f"see `journalctl -u {name}` on {node.name}",
    )
