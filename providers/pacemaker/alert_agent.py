"""Pacemaker's alert agent, which tells a failover from a switchover.

Its text is a file of its own, so that shell tools can check it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources


def text(address: str = "address", mirror: str = "mirror", below: Sequence[str] = ("filesystem", "squid")) -> str:
    """The script, to be put on the nodes with mode 0755; ids of the virtual IP's resource and of those below it."""
    made = resources.files("providers.pacemaker").joinpath("alert_agent.sh").read_text(encoding="utf-8")
    for name, value in (("ADDRESS", address), ("MIRROR", mirror), ("BELOW", " ".join(below))):
        # Ids are letters, digits and `. _ -`: nothing that a shell would read otherwise.
        made = re.sub(rf"\$\{{SQUID_HA_{name}:-[^}}]*\}}", f"${{SQUID_HA_{name}:-{value}}}", made, count=1)
    return made
