"""The nodes of a site."""

from __future__ import annotations

from declaration.addresses import Host, Ip
from declaration.paths import BlockDevicePath
from declaration.types import NodeName, Port, Settings


class Node(Settings):
    """One node: what it is called and where it is reached."""

    name: NodeName
    """Host name of the node, as `uname -n` prints it there."""

    address: Ip
    """Its address in the public network, for the cluster and, unless `ssh_host` says otherwise, for SSH."""

    ssh_host: Host | None = None
    """Where SSH connects to, if that is not `address`."""

    ssh_port: Port | None = None
    """Port of its SSH server, if it is not the `port` under `ssh`."""

    replication_address: Ip | None = None
    """Its address in the replication network."""

    mirror_device: BlockDevicePath | None = None
    """The mirror's disk on this node, where its path is not that of `mirror.device`: a name by the disk's own serial
    number differs from node to node."""

    away: bool = False
    """The node is gone for now: `up` goes on without it. Should it boot, it is in the cluster again, as it was."""

    @property
    def connect_to(self) -> str:
        """Host or address that SSH connects to."""
        return self.ssh_host or self.address
