"""The ports that an engine has on every node, and that nothing else of a site may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Others = Literal["none", "named", "anybody"]
"""Who beside the site's nodes may have to reach a port: nobody, hosts to be named (a third node), or anybody."""


@dataclass(frozen=True)
class Ports:
    """``numbers`` of a ``protocol`` that ``owner`` listens on, for the site's nodes and for ``others``."""

    owner: str
    numbers: Sequence[int]
    protocol: Literal["tcp", "udp"] = "tcp"
    others: Others = "none"


PATH_PORT = 7365
"""LifeKeeper's communication paths."""

MIRROR_PORTS = range(10001, 10017)
"""DataKeeper's port is the first one plus the mirror's number on its node: these are for the numbers 0 to 15. Where
somebody else has the port it goes on by 256, beyond them."""

ENGINE_PORTS: Mapping[str, tuple[Ports, ...]] = {
    "pacemaker": (Ports("Corosync", range(5405, 5413), "udp"), Ports("Pacemaker", (3121,), others="named")),
    "lifekeeper": (
        Ports("LifeKeeper", (PATH_PORT,), others="named"),
        Ports("LifeKeeper", (81, 82, 778, 779, 5000, 5110), others="anybody"),
        Ports("DataKeeper", MIRROR_PORTS, others="named"),
    ),
}
"""Engine → its ports; 3121 is that of Pacemaker's remote nodes, LifeKeeper's for people are its interfaces for them and
for policies."""


def owners(engine: str) -> dict[int, str]:
    """Port → which part of the engine has it."""
    return {number: each.owner for each in ENGINE_PORTS[engine] for number in each.numbers}
