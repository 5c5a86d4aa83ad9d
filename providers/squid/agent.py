"""The resource agent ``ocf:squid-ha:squid``, through which an engine runs Squid's systemd unit and asks it whether it
serves. Its text is a file of its own, so that shell tools can check it."""

from __future__ import annotations

from importlib import resources

from providers.host.renamed import renamed

UNIT = "squid.service"
CONFIGURATION = "/etc/squid/squid.conf"
"""What stands in the agent's file for these two."""


def text(unit: str = UNIT, configuration: str = CONFIGURATION) -> str:
    """The agent, ready to be put where the engine looks for it (`blueprint.traits`) with mode 0755.

    ``unit`` is what it runs where its parameter does not say it, ``configuration`` where it reads Squid's ports. Raises
    what `renamed` does.
    """
    there = resources.files("providers.squid").joinpath("agent.sh").read_text(encoding="utf-8")
    return renamed(there, {UNIT: unit, CONFIGURATION: configuration})
