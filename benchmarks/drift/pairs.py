"""The pairs of a fleet, as declarations. Pure.

Pair n has the nodes ``fNN-a`` and ``fNN-b``, containers number 2n-1 and 2n of the lab (`lab.container`), and a virtual
IP below all of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.addresses import address
from lab.host import Network
from tests.support.sites import on_containers

MOST = 25
"""Pairs; what follows 192.0.2.(128+50) is left to others."""
_FIRST_VIRTUAL_IP = 21
_FIRST_CONTAINER = 128


@dataclass(frozen=True)
class Pair:
    """Two nodes and their site; ``number`` from 1 to `MOST`."""

    number: int
    engine: str

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return f"fleet-{self.number:02}"

    @property
    def nodes(self) -> tuple[str, str]:
        """Their names."""
        return f"f{self.number:02}-a", f"f{self.number:02}-b"

    @property
    def containers(self) -> Mapping[str, int]:
        """Node → number of its container."""
        return {name: 2 * self.number - 1 + place for place, name in enumerate(self.nodes)}

    @property
    def virtual_ip(self) -> str:
        """The address of its service."""
        return address(Network.PUBLIC, _FIRST_VIRTUAL_IP - 1 + self.number)

    def site(self, run_directory: Path, sockets: Path, known_hosts: Path) -> dict[str, Any]:
        """Phase 2 on containers; ``sockets`` is the folder with ``NODE.ssh`` for each node.

        The engine looks less often than it customarily does and pings nobody: 25 clusters on one machine would
        otherwise be busy with themselves for two thirds of its time.
        """
        site: dict[str, Any] = {**on_containers(run_directory), "engine": self.engine}
        del site["network"]["public"]["reachable"]
        if self.engine == "pacemaker":
            site["timeouts"] = {member: {"monitor_interval": "60s"} for member in ("squid", "address")}
        site["lifekeeper"] |= {"check_interval": "60s", "heartbeat": {"interval": "5s", "misses": 6}}
        site["nodes"] = [
            {
                "name": name,
                "address": address(Network.PUBLIC, _FIRST_CONTAINER + number),
                "replication_address": address(Network.REPLICATION, _FIRST_CONTAINER + number),
            }
            for name, number in self.containers.items()
        ]
        site["virtual_ip"] = self.virtual_ip
        site["ssh"] |= {"known_hosts": str(known_hosts), "proxy_command": f"socat - UNIX-CONNECT:{sockets}/%n.ssh"}
        return site


def pairs(count: int, engine: str) -> list[Pair]:
    """The first so many, all by one engine. Raises `ValueError` for more than there are addresses for."""
    if not 1 <= count <= MOST:
        raise ValueError(f"a fleet has 1 to {MOST} pairs, not {count}")
    return [Pair(number, engine) for number in range(1, count + 1)]
