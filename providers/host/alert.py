"""The neutral program of alerts, ``/usr/lib/squid-ha/alert``: keeps events, sends them, looks at mirror and clock.

Its text is a file of its own, so that shell tools can check it.
"""

from __future__ import annotations

from importlib import resources

SPOOL = "/var/spool/squid-ha"
"""Where it keeps events, and what was told."""


def text() -> str:
    """The script, to be put on the nodes with mode 0755."""
    return resources.files("providers.host").joinpath("alert.sh").read_text(encoding="utf-8")
