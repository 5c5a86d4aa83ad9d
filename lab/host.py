"""What every host of the lab can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Network(StrEnum):
    """The two networks of the lab; the value is the name of the bridge that carries it."""

    PUBLIC = "pub"
    REPLICATION = "rep"


class Kind(StrEnum):
    """What a host is made of."""

    VM = "vm"
    CONTAINER = "container"


@dataclass(frozen=True)
class HostStatus:
    """What is known about a host without asking it anything."""

    running: bool
    pid: int | None
    """Process id inside the tree's namespace; None when it is off."""
    memory: int
    """Bytes resident on this machine; 0 when it is off."""


class Host(Protocol):
    """One host, driven by the supervisor inside the tree (see ``lab.tree``).

    Every method runs in the supervisor's event loop, in the namespaces of the tree, as root. A host owns its
    processes, mounts and network interfaces; it need not clean up when the whole tree ends, because the kernel does.
    The supervisor forwards ``<run directory>/<name>.ssh`` to port 22 of ``address``; that is not a host's job.
    """

    @property
    def name(self) -> str:
        """The host name, unique in the lab; also the name of its sockets and logs in the run directory."""
        ...

    @property
    def kind(self) -> Kind:
        """What it is made of."""
        ...

    @property
    def address(self) -> str:
        """Its address on the public network."""
        ...

    @property
    def links(self) -> Mapping[Network, str]:
        """The interface on the tree's side of each of its cables; cutting one takes it off its bridge."""
        ...

    async def start(self) -> None:
        """Power it on. Returns when its process runs, not when sshd answers. On a running host: nothing.

        Raises LabError when the process ends at once.
        """
        ...

    async def stop(self, timeout: float = 60.0) -> None:
        """Shut it down in order; past ``timeout`` seconds cut the power and raise LabError. When off: nothing."""
        ...

    async def kill(self) -> None:
        """Cut its power: no process of it gets to run another instruction. When off: nothing."""
        ...

    async def remove(self) -> None:
        """Cut its power and give back all it holds: disks, mounts, interfaces. It is not used again."""
        ...

    def status(self) -> HostStatus:
        """What the supervisor sees, without blocking."""
        ...
