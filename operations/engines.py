"""The engines as operations know them: one line each. Nothing else here asks which engine a site has."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from declaration.site import Site
from providers.connection.cluster import Cluster
from providers.connection.command import Command
from providers.roles import MirrorView, Notice, SplitBrain


class Tree(Protocol):
    """One reading of the service."""

    @property
    def states(self) -> Mapping[str, Mapping[str, str]]:
        """The service's members, bottom up, each with its state per node; `Started` or `Promoted` where it runs."""
        ...

    @property
    def active(self) -> str | None:
        """The one node on which members run; whether all do is another question."""
        ...


class Runtime(Protocol):
    """What runs where, and moving it."""

    async def tree(self, cluster: Cluster) -> Tree:
        """One reading of the service. Raises `Unknown` where no node can tell."""
        ...

    async def active_node(self, cluster: Cluster) -> str | None:
        """The node that runs the service; None if it runs nowhere. Raises `Unknown` while it is on its way."""
        ...

    async def switchover(self, cluster: Cluster, to: str) -> None:
        """Move the service to ``to`` and wait until it runs there.

        Raises `Refused` where the target cannot take over, or the mirror is not up to date.
        """
        ...

    async def wait_settled(self, cluster: Cluster, limit: float = 120) -> bool:
        """Wait until nothing more is planned, at most ``limit`` seconds; False where something still is."""
        ...

    async def aside(self, cluster: Cluster, node: str) -> None:
        """Take ``node`` out of service until it is brought `back`: the service leaves it and does not come to it.

        Also of a node that is off. Raises `Refused` where the service runs there and cannot move away.
        """
        ...

    async def back(self, cluster: Cluster, node: str) -> None:
        """Undo `aside`; the service stays where it is. Nothing to do for a node that is not aside."""
        ...

    async def way_back(self, cluster: Cluster, node: str) -> Mapping[str, Command]:
        """What undoes `aside` where nobody is left to call `back`: name of a node → a command to be run there later.

        For timers on the nodes. One of them suffices; each may run twice, and changes nothing where ``node`` is back.
        """
        ...

    async def maintenance(self, cluster: Cluster, on: bool) -> None:
        """Have the engine start, stop and move nothing, whatever happens; or have it take over again."""
        ...

    async def cleanup(self, cluster: Cluster) -> None:
        """Forget failures, and what tools have left that keeps the service from a node, once the cause is gone.

        What the mirror's fencing has put there stays while one half is behind. Raises `NotVerified` where something
        fails again at once.
        """
        ...

    async def start_alone(self, cluster: Cluster, node: str) -> None:
        """Start the service on ``node`` without the other one, which the caller knows to be off.

        Raises `Refused` where the other one can be seen, or the data here is known to be old.
        """
        ...

    async def notices(self, cluster: Cluster) -> Sequence[Notice]:
        """What the engine and its tools noted for a while. Raises `Unknown` where no node can tell."""
        ...

    async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
        """Each node's view of the mirror. A node that does not answer is no error: its view says so."""
        ...

    async def split_brain(self, cluster: Cluster) -> SplitBrain | None:
        """Whether both halves of the mirror have data that the other has not; None if not. Raises `Unreachable`.

        For who holds the lock and is about to `resolve`: what one that was cut off has left of a moving service is
        undone first, as the halves tell nothing before. `mirror` only reads.
        """
        ...

    async def save_logs(self, cluster: Cluster, node: str, source: str, to: str) -> None:
        """Copy the folder ``source`` below the mount point as it is on this node's own half to the new folder ``to``.

        Whether or not the half is mounted there; nothing on it changes.
        """
        ...

    async def resolve(self, cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
        """End a split brain: throw away what only ``victim`` has, and wait until it is being copied from the other.

        A service that runs on ``victim`` leaves it first; ``left`` is awaited when it has, before anything is thrown
        away. Raises `Refused` where there is no split brain, or the service cannot leave.
        """
        ...


@dataclass(frozen=True)
class Engine:
    """An engine by the modules that play its roles; they are loaded when they are needed."""

    runtime_module: str

    @property
    def runtime(self) -> Runtime:
        """What runs where."""
        return cast("Runtime", importlib.import_module(self.runtime_module))


ENGINES: Mapping[str, Engine] = {
    "pacemaker": Engine("providers.pacemaker.runtime"),
    "lifekeeper": Engine("providers.lifekeeper.runtime"),
}


def engine_of(site: Site) -> Engine:
    """The engine that a site names."""
    return ENGINES[site.engine]


class Membership(Protocol):
    """What some engines can tell of their nodes; one that cannot has no such functions."""

    async def online(self, cluster: Cluster) -> frozenset[str]:
        """The nodes that take part. Raises `Unknown` where no node can tell."""
        ...

    async def fenced(self, cluster: Cluster, node: str, since: float) -> bool:
        """Whether ``node`` was fenced with success since then (seconds since the epoch). Raises `Unknown`."""
        ...


def membership_of(runtime: Runtime) -> Membership | None:
    """The engine's account of its nodes, if it has one."""
    return cast("Membership", runtime) if hasattr(runtime, "fenced") else None
