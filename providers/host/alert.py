"""The neutral program of alerts, ``/usr/lib/squid-ha/alert``: keeps events, sends them, looks at mirror and clock.

Its text is a file of its own, so that shell tools can check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from providers.host.renamed import renamed

SPOOL = "/var/spool/squid-ha"
"""Where it keeps events, and what was told."""


TIME_UNITS: Mapping[str, str] = {"chrony": "chrony.service", "ntpsec": "ntpsec.service"}
"""Time service → the unit that stands in the script for it."""


def text(time_units: Mapping[str, str] = TIME_UNITS) -> str:
    """The script, to be put on the nodes with mode 0755; ``time_units`` as they are called there.

    Raises what `renamed` does.
    """
    there = resources.files("providers.host").joinpath("alert.sh").read_text(encoding="utf-8")
    return renamed(there, {unit: time_units[service] for service, unit in TIME_UNITS.items()})
