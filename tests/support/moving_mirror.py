"""A mirror for containers: what is on it moves with the service, as it would on DRBD, which containers cannot have.

On the active node it is a tmpfs at the mount point; a switchover stops Squid, carries the files over with their times
and owners, and starts Squid on the other node, with the virtual IP.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.connection.cluster import Cluster
from providers.connection.command import command, script
from providers.roles import UP_TO_DATE, MirrorView

MOUNT_POINT = "/mnt/mirror"
ADDRESS = "192.0.2.10"

# $1 mount point, $2 address; standard input: a tar archive of what is on the mirror, or nothing
_ARRIVE = r"""
set -e
mkdir -p "$1"; mount -t tmpfs -o mode=0755 mirror "$1"
base64 -d | tar -C "$1" -xpf - 2>/dev/null || { mkdir "$1/squid" "$1/rotation"; chown proxy:proxy "$1/squid";
                                                chmod 0750 "$1/squid"; chmod 0700 "$1/rotation"; }
ip address add "$2/24" dev eth0
systemctl start squid
"""
_LEAVE = r"""
set -e
systemctl stop squid
ip address del "$2/24" dev eth0
tar -C "$1" -cpf - . | base64
umount "$1"
"""


@dataclass
class Tree:
    states: Mapping[str, Mapping[str, str]]
    active: str | None


@dataclass
class MovingMirror:
    """Plays the engine: its runtime role."""

    cluster: Cluster
    active: str | None = None
    moved: list[str] = field(default_factory=list[str])

    @property
    def runtime(self) -> MovingMirror:
        return self

    async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
        return {
            name: MirrorView("source" if name == self.active else "target", True, "Connected", UP_TO_DATE, UP_TO_DATE)
            for name in cluster.nodes
        }

    async def tree(self, cluster: Cluster) -> Tree:
        return Tree({"squid": {self.active: "Started"}} if self.active else {}, self.active)

    async def active_node(self, cluster: Cluster) -> str | None:
        return self.active

    async def switchover(self, cluster: Cluster, to: str) -> None:
        carried = await self.leave() if self.active else ""
        await self.arrive(to, carried)

    async def leave(self) -> str:
        """Take the service off its node; what was on the mirror, as text."""
        assert self.active is not None
        done = await self.cluster.nodes[self.active].run(script(_LEAVE, MOUNT_POINT, ADDRESS, timeout=120))
        self.active = None
        return done.stdout

    async def arrive(self, node: str, carried: str = "") -> None:
        """Start the service on a node, with what was carried there."""
        base64.b64decode(carried)
        await self.cluster.nodes[node].run(script(_ARRIVE, MOUNT_POINT, ADDRESS, stdin=carried or "", timeout=120))
        for each in self.cluster.nodes.values():
            await each.run(command("ip", "neigh", "flush", "all"))
        self.active = node
        self.moved.append(node)
