"""The file that SBD's unit reads, as data."""

from __future__ import annotations

from dataclasses import dataclass

_DELAY = "SBD_DELAY_START"
_BY_ITSELF = 60
"""Seconds."""


@dataclass(frozen=True)
class SbdConf:
    """``device`` holds the slots, ``watchdog`` is the node's, ``watchdog_timeout`` in seconds as in the header.

    ``delay_start``: seconds that SBD waits whenever it starts, as long as fencing takes at most. A node that rejoins
    before is told of its own fencing, stops, and stays down ("allegedly just fenced"). More than 1, which SBD takes for
    "yes"; 0 is none.
    """

    device: str
    watchdog: str
    watchdog_timeout: int
    delay_start: int


def render(conf: SbdConf) -> str:
    """The file's text.

    STARTMODE ``always``: a node that was fenced clears its slot and rejoins; with ``clean`` somebody would have to do
    that by hand.
    """
    settings = {
        "SBD_DEVICE": conf.device,
        "SBD_WATCHDOG_DEV": conf.watchdog,
        "SBD_WATCHDOG_TIMEOUT": str(conf.watchdog_timeout),
        "SBD_PACEMAKER": "yes",
        "SBD_STARTMODE": "always",
        _DELAY: str(conf.delay_start or "no"),
        "SBD_TIMEOUT_ACTION": "flush,reboot",
        "SBD_MOVE_TO_ROOT_CGROUP": "auto",
        "SBD_SYNC_RESOURCE_STARTUP": "yes",
        "SBD_OPTS": "",
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    return "# Written by squid-ha; changes made here are reported as drift.\n" + lines


def without_delay(text: str) -> str:
    """The settings that daemons which run go by: how long they waited when they started is over."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(f"{_DELAY}="))


def patience(delay: int) -> str:
    """A drop-in for SBD's unit, which has systemd wait for that delay; empty where it does by itself.

    It gives a unit 90 s (systemd-system.conf(5), DefaultTimeoutStartSec), in which SBD starts as well.
    """
    if delay <= _BY_ITSELF:
        return ""
    return f"# Written by squid-ha: SBD waits {delay} s before it starts.\n[Service]\nTimeoutStartSec={2 * delay}\n"


def watchdog(text: str) -> str:
    """The watchdog's device that a rendered file names; empty if none."""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "SBD_WATCHDOG_DEV":
            return value.strip().strip("\"'")
    return ""
