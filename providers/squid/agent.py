"""The resource agent ``ocf:squid-ha:squid``, through which Pacemaker runs Squid's systemd unit and asks it whether it
serves. Its text is a file of its own, so that shell tools can check it."""

from __future__ import annotations

from importlib import resources


def text() -> str:
    """The agent, ready to be put at ``/usr/lib/ocf/resource.d/squid-ha/squid`` with mode 0755."""
    return resources.files("providers.squid").joinpath("agent.sh").read_text(encoding="utf-8")
