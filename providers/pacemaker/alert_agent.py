"""Pacemaker's alert agent, which tells a failover from a switchover.

Its text is a file of its own, so that shell tools can check it.
"""

from __future__ import annotations

from importlib import resources


def text() -> str:
    """The script, to be put on the nodes with mode 0755."""
    return resources.files("providers.pacemaker").joinpath("alert_agent.sh").read_text(encoding="utf-8")
