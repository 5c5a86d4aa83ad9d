"""What upgrades packages by itself, and so restarts the cluster's programs on both nodes, whoever serves.

Facts: apt-config(8) ``dump``; unattended-upgrade(8) and /etc/apt/apt.conf.d/50unattended-upgrades, which says of
``Package-Blacklist`` that it holds Python's regular expressions, matched from the name's beginning; of
``APT::Periodic`` /usr/lib/apt/apt.systemd.daily, which ``apt-daily-upgrade.timer`` runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from blueprint.platforms import PLATFORMS
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, command
from providers.host.packages import Wanted

NAME = "upgrades"
TIMER = "apt-daily-upgrade.timer"
_LINE = re.compile(r'^(\S+) "(.*)";$', re.MULTILINE)
_SPARED = "Unattended-Upgrade::Package-Blacklist::"
_REBOOT = "Unattended-Upgrade::Automatic-Reboot"
_NEVER = ("", "0")


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """Nothing of a single node, which has no other one to be upgraded first."""
    if len(site.nodes) == 1:
        return []
    return [
        command("apt-config", "dump", "APT::Periodic", "Unattended-Upgrade", reads=True, label="apt-config dump"),
        command("dpkg-query", "--show", "--showformat", "${db:Status-Status}", "unattended-upgrades", reads=True),
        command("systemctl", "is-enabled", TIMER, reads=True),
    ]


def judge(asked: Asked) -> Iterator[Finding]:
    """Notes: all is well until the day on which a new version comes."""
    settings, installed, timer = asked.out
    found: list[tuple[str, str]] = _LINE.findall(settings)
    values = dict(found)
    if installed != "installed" or timer.strip() != "enabled" or not _periodic(values):
        yield asked.ok(NAME, "nothing upgrades packages by itself")
        return
    spared = [pattern for key, pattern in found if key == _SPARED]
    taken = [name for name in _restarting(asked) if not any(_matches(pattern, name) for pattern in spared)]
    if taken:
        patterns = " ".join(f'"{name}$";' for name in taken)
        yield asked.note(
            NAME,
            f"unattended upgrades take {', '.join(taken)} along, and restart what is theirs while the service runs",
            f"leave them out, `Unattended-Upgrade::Package-Blacklist {{ {patterns} }};` in /etc/apt/apt.conf.d, and "
            "upgrade them one node at a time (docs/runbook.md, OS upgrade)",
        )
    if values.get(_REBOOT, "").lower() in ("true", "yes", "on", "1"):
        yield asked.note(
            NAME,
            "unattended upgrades boot the node by themselves, whatever state the other one is in",
            f'set {_REBOOT} "false", and boot one node at a time, set aside (docs/runbook.md, OS upgrade)',
        )
    elif not taken:
        yield asked.ok(NAME, "unattended upgrades leave the packages of the service alone")


def _periodic(values: Mapping[str, str]) -> bool:
    switch = values.get("APT::Periodic::Enable", "1")
    return switch not in _NEVER and values.get("APT::Periodic::Unattended-Upgrade", "") not in _NEVER


def _restarting(asked: Asked) -> list[str]:
    """The packages of the site whose scripts restart something of the service."""
    platform = PLATFORMS[asked.site.platform]
    some = {*platform.squid_packages, *platform.pacemaker_packages, *platform.sbd_packages, *platform.mirror_packages}
    declared = [name for thing in asked.things if isinstance(thing.inputs, Wanted)
                for name in thing.inputs.nodes.get(asked.node.name, {})]  # fmt: skip
    return [name for name in declared if name in some]


def _matches(pattern: str, name: str) -> bool:
    """As unattended-upgrade does; a pattern that is none spares nothing."""
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False
