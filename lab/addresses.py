"""Addresses of the lab. 192.0.2.0/24 is set aside for documentation (RFC 5737): it leads nowhere outside."""

from __future__ import annotations

from lab.host import Network
from lab.image import nodes

NODES = tuple(node.name for node in nodes.NODES)
"""The pair of virtual machines, in the order of their addresses."""

VIRTUAL_IP = "192.0.2.10"
ORIGIN = "192.0.2.1"
CLIENT = "192.0.2.100"
SUPERVISOR = "192.0.2.254"
ORIGIN_MAC = "02:00:00:00:01:01"
CLIENT_MAC = "02:00:00:00:01:64"
SUPERVISOR_MAC = "02:00:00:00:01:fe"
"""Fixed, because a restored guest still has them in its neighbour table."""

PREFIXES = {Network.PUBLIC: "192.0.2", Network.REPLICATION: "172.16.77"}


def address(network: Network, last: int) -> str:
    """The address on `network` that ends in `last`."""
    return f"{PREFIXES[network]}.{last}"


def node_number(name: str) -> int:
    """The last part of a node's addresses: 11 for qsp-a, 12 for qsp-b. Raises KeyError for any other name."""
    return {node.name: node.number for node in nodes.NODES}[name]


def mac(network: Network, last: int) -> str:
    """The hardware address that goes with `address(network, last)`; the image's network setup matches on it."""
    return f"02:00:00:00:{1 if network is Network.PUBLIC else 2:02x}:{last:02x}"
