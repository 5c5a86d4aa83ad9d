"""A host as a container: systemd-nspawn over the image's tree, up in half a second, without its own kernel.

What a node can do to its files, packages, units, addresses and users is real here. What needs the kernel is
not: DRBD, modules, the clock, watchdogs, most sysctls. A container that is off answers for no address, as a
machine without power.

What a container writes lies in memory and ends with the tree.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab import addresses, network
from lab.containers import cgroup, limits, root
from lab.errors import LabError
from lab.host import HostStatus, Kind, Network
from lab.image import Image
from lab.image.nodes import NODES, Identity
from lab.network import Tree, cable_name

INTERFACES = {Network.PUBLIC: "eth0", Network.REPLICATION: "eth1"}

_NSPAWN = (
    "systemd-nspawn",
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--boot",
    "--console=pipe",
    "--link-journal=no",
    "--resolv-conf=off",
    # Never CAP_SYS_TIME: the clock is the one of this machine.
    "--capability=CAP_NET_ADMIN,CAP_SYS_NICE,CAP_IPC_LOCK",
)
_JOIN_GROUPS = 'for group in $GROUPS_TO_JOIN; do echo 0 > "$group/cgroup.procs" || exit 1; done; exec "$@"'


def make(name: str, number: int, image: Image, tree: Tree, layer: Path | None = None) -> "Container":
    """A container, not yet started. One that bears a node's name has that node's addresses and host key.

    Any other has 192.0.2.(128+number) and 172.16.77.(128+number), and a host key made with it. `layer` is what another
    one wrote, which this one begins with (`Container.keep`).
    """
    identity = next((node for node in NODES if node.name == name), Identity(name, 128 + number))
    return Container(identity, image, tree, layer)


class Container:
    """See `lab.host.Host`. Its root is made at the first start and kept while it is off."""

    kind = Kind.CONTAINER

    def __init__(self, identity: Identity, image: Image, tree: Tree, layer: Path | None = None) -> None:
        self.name = identity.name
        self.address = identity.public
        self.links = {each: cable_name(identity.name, each) for each in Network}
        self._identity = identity
        self._image = image
        self._tree = tree
        self._layer = layer
        self._root: Path | None = None
        self._connected = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def host_key(self) -> Path:
        """The public key its sshd answers with; there once it was started."""
        return root.host_key(self.name, self._image, self._tree)

    async def start(self) -> None:
        """Power it on. Raises LabError when its first process ends at once."""
        if self.status().running:
            return
        if self._root is None:
            self._root = await root.mount(self._identity, self._image, self._tree, self._layer)
        limits.raise_for_containers(self._tree.directory, self._tree.memory)
        if not self._connected:
            await self._connect()
        await self._launch(self._root)

    async def stop(self, timeout: float = 60.0) -> None:
        """Shut it down in order, or cut its power after `timeout` seconds and raise LabError."""
        process = self._process
        if process is None or not self.status().running:
            return
        process.terminate()  # systemd-nspawn asks the container's systemd to power off
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            await self.kill()
            raise LabError(f"{self.name} did not shut down within {timeout:g} s; its power was cut") from None
        await self._power_is_off()

    async def kill(self) -> None:
        """Cut its power."""
        process = self._process
        if process is None or not self.status().running:
            return
        # Its first process before systemd-nspawn: the other way round the container lives on, orphaned.
        for child in _children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await self._power_is_off()

    async def remove(self) -> None:
        """Cut its power and give back its root and its network."""
        await self.kill()
        if self._connected:
            await self._disconnect()
        if self._root is not None:
            await root.unmount(self.name, self._tree)
            self._root = None

    async def keep(self) -> Path:
        """Shut it down for good, and return what it wrote as a layer for others. Raises LabError if it began with one.

        Not in the layer: names, addresses and keys of its own.
        """
        if self._root is None or self._layer is not None:
            raise LabError(f"{self.name} has nothing to keep: it never ran, or began with a layer itself")
        await self.stop()
        await self._disconnect()
        self._root = None
        return await root.keep(self._identity, self._tree)

    def status(self) -> HostStatus:
        """See `lab.host.Host`; memory is that of its processes, shared pages counted in each."""
        process = self._process
        if process is None or process.returncode is not None:
            return HostStatus(running=False, pid=None, memory=0)
        children = _children(process.pid)
        return HostStatus(running=True, pid=process.pid, memory=sum(_resident(pid) for pid in _family(children)))

    async def _connect(self) -> None:
        await self._tree.add_namespace(self.name)
        for each in Network:
            mac = addresses.mac(each, self._identity.number)
            await self._tree.add_cable(self.name, INTERFACES[each], each, "", mac)
        self._connected = True

    async def _disconnect(self) -> None:
        # The cables by name: those in a namespace that something still holds would stay.
        for cable in self.links.values():
            await self._tree.run("ip", "link", "delete", cable)
        await self._tree.remove_namespace(self.name)
        self._connected = False

    async def _power_is_off(self) -> None:
        """Make its network anew: the kernel would go on answering for addresses that a process once set."""
        for group in cgroup.groups(self.name):
            cgroup.remove(group)
        cut = [each for each in Network if await network.is_cut(self.links, each)]
        await self._disconnect()
        await self._connect()
        for each in cut:
            await network.cut(self.links, each)

    async def _launch(self, directory: Path) -> None:
        cgroup.remove_dead()
        with cgroup.starting():
            await self._start_process(directory, cgroup.groups(self.name))

    async def _start_process(self, directory: Path, groups: list[Path]) -> None:
        settings = {
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
            "SYSTEMD_NSPAWN_LOCK": "0",
            "GROUPS_TO_JOIN": " ".join(str(group) for group in groups),
        }
        argv = (*_NSPAWN, f"--directory={directory}", f"--machine={self.name}",
                f"--network-namespace-path=/run/netns/{self.name}")  # fmt: skip
        with (self._tree.directory / f"{self.name}.console").open("wb") as console:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", _JOIN_GROUPS, "sh", *argv, env={**os.environ, **settings},
                stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip

        async def up_or_ended() -> bool:
            return process.returncode is not None or any(_command(pid) == "systemd" for pid in _children(process.pid))

        self._process = process
        await _until(
            up_or_ended,
            20,
            f"the first process of {self.name} does not start; see .lab/run/{self.name}.console",
        )
        if process.returncode is not None:
            last = Path(console.name).read_text(errors="replace").strip().splitlines()[-3:]
            raise LabError(f"the container {self.name} ended at once with {process.returncode}: {' / '.join(last)}")


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise LabError(f"{otherwise} ({seconds:g} s)")
        await asyncio.sleep(0.02)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _family(pids: list[int]) -> list[int]:
    return [*pids, *(pid for each in pids for pid in _family(_children(each)))]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
