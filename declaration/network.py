"""The networks of a site."""

from __future__ import annotations

from declaration.addresses import InterfaceName, Ip, Subnet
from declaration.types import Many, Settings


class Public(Settings):
    """The network of the clients: nodes' addresses and the virtual IP lie in it."""

    interface: InterfaceName
    """Interface of the nodes in this network."""

    subnet: Subnet
    """The network."""

    reachable: Many[Ip] = ()
    """Addresses of which one must answer a ping, such as the gateway; a node that reaches none of them gives
    the service away. Empty: not watched."""


class Replication(Settings):
    """The network between the nodes: the mirror's traffic and the cluster's second link."""

    interface: InterfaceName
    """Interface of the nodes in this network."""

    subnet: Subnet
    """The network."""


class Networks(Settings):
    """The networks that the nodes share."""

    public: Public
    """The clients' network."""

    replication: Replication | None = None
    """The network between the nodes. Needed for a mirror."""
