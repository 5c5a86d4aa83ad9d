"""A pair that is cut in two, so that both halves of its mirror are written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.addresses import NODES, address, node_number
from lab.host import Network
from operations.engines import engine_of

if TYPE_CHECKING:
    from operations.site import Hosts
    from tests.cluster.conftest import Machines

LOG = "/mnt/mirror/squid/access.log"


def routes_that_cut_off(name: str) -> list[str]:
    """The routes that keep a node from the other one, on both networks at once, and from nobody else."""
    peer = next(each for each in NODES if each != name)
    return [f"blackhole {address(network, node_number(peer))}/32" for network in Network]


def serves(machines: Machines, name: str) -> bool | None:
    """True once Squid runs on the node's own half; None before."""
    seen = asyncio.run(machines.sudo(name, "findmnt /mnt/mirror && systemctl is-active squid || true"))
    return "\nactive" in seen or None


def refusing(hosts: Hosts) -> set[str] | None:
    """Which nodes say that their half refuses the other one, once they do."""
    found = hosts.run(engine_of(hosts.site).runtime.split_brain(hosts.cluster()))
    return set(found.said) if found else None
