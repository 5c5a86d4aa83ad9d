"""The file that SBD's unit reads, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SbdConf:
    """``device`` holds the slots, ``watchdog`` is the node's, ``watchdog_timeout`` in seconds as in the header.

    ``delay_start`` makes a booting node wait for the message timeout, so that one that boots faster than its fencing is
    confirmed cannot rejoin in between and be fenced again (sbd(8), SBD_DELAY_START).
    """

    device: str
    watchdog: str
    watchdog_timeout: int
    delay_start: bool = True


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
        "SBD_DELAY_START": "yes" if conf.delay_start else "no",
        "SBD_TIMEOUT_ACTION": "flush,reboot",
        "SBD_MOVE_TO_ROOT_CGROUP": "auto",
        "SBD_SYNC_RESOURCE_STARTUP": "yes",
        "SBD_OPTS": "",
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    return "# Written by squid-ha; changes made here are reported as drift.\n" + lines


def watchdog(text: str) -> str:
    """The watchdog's device that a rendered file names; empty if none."""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "SBD_WATCHDOG_DEV":
            return value.strip().strip("\"'")
    return ""
