"""What a running lab can be asked; see `lab.control` for how. Runs in the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import freeze, network
from lab.addresses import NODES
from lab.configuration import Configuration
from lab.container import Container
from lab.container import make as make_container
from lab.errors import LabError
from lab.host import Host, Network
from lab.image import Image
from lab.network import Tree
from lab.services import Services
from lab.sshd import Forwards, banner
from lab.vm import Machine, VirtualMachine

Answer = Any
Request = Callable[..., Awaitable[Answer]]


class Lab:
    """The tree's hosts and services. Each public coroutine is a request of the same name (with - for _)."""

    def __init__(
        self, tree: Tree, configuration: Configuration, accelerator: str, tsc_khz: int | None, ended: asyncio.Event
    ) -> None:
        self._tree = tree
        self._configuration = configuration
        self._accelerator = accelerator
        self._tsc_khz = tsc_khz
        self._ended = ended
        self._changing = asyncio.Lock()
        self._hosts: dict[str, Host] = {}
        self._services = Services(tree)
        self._forwards = Forwards(tree.directory, configuration.uid, configuration.gid)

    async def set_up(self) -> None:
        """Make networks, services, and the pair of machines, switched off."""
        await network.set_up(self._tree)
        image = self._configuration
        machine = Machine(Path(image.kernel), Path(image.initrd), Path(image.disk), self._accelerator, self._tsc_khz)
        for name in NODES:
            node = VirtualMachine(name, machine, self._tree)
            await node.connect()
            self._hosts[name] = node
            await self._forwards.open(node)
        await self._services.start_standard(Path(image.tree), Path(image.packages))

    async def dispatch(self, request: Mapping[str, Any]) -> Answer:
        """Do one request. Raises LabError when there is no such request, its arguments do not fit, or it fails."""
        arguments = dict(request)
        name = str(arguments.pop("do", ""))
        method = _REQUESTS.get(name)
        if method is None:
            raise LabError(f"the lab has no request {name!r}; it has {', '.join(sorted(_REQUESTS))}")
        try:
            inspect.signature(method).bind(self, **arguments)
        except TypeError as error:
            raise LabError(f"the request {name!r} does not fit: {error}") from None
        return await method(self, **arguments)

    async def ping(self) -> Answer:
        """What the lab runs on."""
        return {"accelerator": self._accelerator, "tsc_khz": self._tsc_khz, "image": self._configuration.key}

    async def status(self) -> Answer:
        """Every host and service; whether sshd answers is asked of all hosts at once."""
        hosts = list(self._hosts.values())
        states = [host.status() for host in hosts]
        reachable = await asyncio.gather(*(self._reachable(host) for host in hosts))
        cuts = [[n.value for n in Network if await network.is_cut(host.links, n)] for host in hosts]
        return {
            "accelerator": self._accelerator,
            "hosts": [
                {"name": host.name, "kind": host.kind.value, "address": host.address, "running": state.running,
                 "pid": state.pid, "memory": state.memory, "ssh": answers, "cut": cut}
                for host, state, answers, cut in zip(hosts, states, reachable, cuts, strict=True)
            ],
            "services": [{"name": name, "running": self._services.running(name)} for name in self._services.names()],
        }  # fmt: skip

    async def boot(self) -> Answer:
        """Start the pair of machines on blank disks, whatever they were before."""
        async with self._changing:
            await self._heal_all()
            await freeze.boot(self._machines())

    async def start(self, host: str) -> Answer:
        """Power a host on."""
        await self._host(host).start()

    async def stop(self, host: str, timeout: float = 60.0) -> Answer:
        """Shut a host down in order."""
        await self._host(host).stop(timeout)

    async def kill(self, host: str) -> Answer:
        """Cut a host's power."""
        await self._host(host).kill()

    async def stall(self, host: str, disk: str, stalled: bool = True, rate: int = 1) -> Answer:
        """Have a machine's `root`, `data` or `sbd` disk finish no write any more, or again.

        With ``rate``, in bytes a second, it is slow instead.
        """
        await self._machine(host).stall(disk, rate=rate if stalled else 0)

    async def fail(self, host: str, disk: str, failing: bool = True) -> Answer:
        """Have a machine's `root`, `data` or `sbd` disk answer every write with an error, or carry them out again."""
        await self._machine(host).fail(disk, failing=failing)

    async def renew(self, host: str) -> Answer:
        """Put a machine with the image on its root and an empty data disk in a node's place, switched off."""
        node = self._machine(host)
        async with self._changing:
            await node.kill()
            await node.make_blank()

    async def cut(self, host: str, network_name: str) -> Answer:
        """Take one cable of a host off its network."""
        await network.cut(self._host(host).links, _network(network_name))

    async def heal(self, host: str, network_name: str | None = None) -> Answer:
        """Put one cable, or all cables, of a host back."""
        for each in [_network(network_name)] if network_name else list(Network):
            await network.heal(self._host(host).links, each)

    async def add(self, name: str, number: int, tree: str | None = None, layer: str | None = None) -> Answer:
        """Make a container host and start it; its address and host key.

        `number` gives its addresses, `tree` another root than the image's, `layer` what lies above that (`keep`).
        One that is named like a machine of the pair takes the place of that machine, which must be off.
        """
        there = self._hosts.get(name)
        if isinstance(there, VirtualMachine) and not there.status().running:
            self._forwards.close(name)
            del self._hosts[name]
            await there.remove()
        elif there is not None:
            raise LabError(f"the lab has a host {name} already")
        image = _image(self._configuration)
        below = replace(image, tree=Path(tree)) if tree else image
        host = make_container(name, number, below, self._tree, Path(layer) if layer else None)
        self._hosts[name] = host
        try:
            await host.start()
            await self._forwards.open(host)
        except BaseException:
            await self.remove(name)
            raise
        return {"address": host.address, "host_key": host.host_key.read_text().strip()}

    async def keep(self, host: str) -> Answer:
        """Shut a container host down for good; what it wrote stays as a layer for others: its folder."""
        container = self._host(host)
        if not isinstance(container, Container):
            raise LabError(f"{host} is one of the lab's pair; use `save`")
        layer = await container.keep()
        self._forwards.close(host)
        del self._hosts[host]
        return str(layer)

    async def remove(self, name: str) -> Answer:
        """Take a container host away, with all it holds."""
        host = self._host(name)
        if isinstance(host, VirtualMachine):
            raise LabError(f"{name} is one of the lab's pair; use `power-off`")
        self._forwards.close(name)
        del self._hosts[name]
        await host.remove()

    async def run(self, namespace: str, argv: list[str], input: str = "", timeout: float = 60.0) -> Answer:
        """Run a command in a network namespace and wait for it; its exit code and both outputs."""
        process = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", namespace, *argv,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout):
                out, err = await process.communicate(input.encode())
        except TimeoutError:
            process.kill()
            raise LabError(f"`{' '.join(argv)}` in {namespace} took longer than {timeout:g} s") from None
        return {"code": process.returncode, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}

    async def spawn(self, name: str, namespace: str, argv: list[str]) -> Answer:
        """Start a command in a network namespace and leave it running under a name."""
        return {"pid": await self._services.spawn(name, namespace, *argv)}

    async def end(self, name: str, timeout: float = 15.0) -> Answer:
        """End a command that `spawn` started; its exit code."""
        return {"code": await self._services.end(name, timeout)}

    async def save(self, directory: str) -> Answer:
        """Write the pair's disks and memory below a folder."""
        async with self._changing:
            await freeze.save(self._machines(), Path(directory))
            _give(Path(directory), self._configuration)

    async def restore(self, directory: str) -> Answer:
        """Bring the pair back to what `save` wrote, with every cable in place."""
        async with self._changing:
            await self._heal_all()
            await freeze.restore(self._machines(), Path(directory))

    async def down(self) -> Answer:
        """End the tree; hosts lose their power."""
        await asyncio.gather(*(host.kill() for host in self._hosts.values()))
        for machine in self._machines():
            for file in (machine.root_disk, machine.data_disk, machine.sbd_disk, machine.qmp_socket):
                file.unlink(missing_ok=True)
        for name in self._hosts:
            self._forwards.close(name)
        self._ended.set()

    def _machines(self) -> list[VirtualMachine]:
        return [host for host in self._hosts.values() if isinstance(host, VirtualMachine)]

    def _host(self, name: str) -> Host:
        if name not in self._hosts:
            raise LabError(f"the lab has no host {name!r}; it has {', '.join(self._hosts)}")
        return self._hosts[name]

    def _machine(self, name: str) -> VirtualMachine:
        host = self._host(name)
        if not isinstance(host, VirtualMachine):
            raise LabError(f"{name} is a container, and has no disks of its own")
        return host

    async def _heal_all(self) -> None:
        for machine in self._machines():
            await self.heal(machine.name)

    async def _reachable(self, host: Host) -> bool:
        if not host.status().running:
            return False
        with contextlib.suppress(OSError, TimeoutError):
            return (await banner(host.address, timeout=1.5)).startswith(b"SSH-2.0")
        return False


def _network(name: str) -> Network:
    try:
        return Network(name)
    except ValueError:
        raise LabError(f"the lab has no network {name!r}; it has {', '.join(Network)}") from None


def _image(configuration: Configuration) -> Image:
    return Image(
        kernel=Path(configuration.kernel), initrd=Path(configuration.initrd), disk=Path(configuration.disk),
        tree=Path(configuration.tree), packages=Path(configuration.packages), identity=Path(configuration.identity),
        host_keys={name: Path(path) for name, path in configuration.host_keys.items()}, key=configuration.key,
    )  # fmt: skip


def _give(directory: Path, configuration: Configuration) -> None:
    """Make the files of a folder those of the user who runs the lab."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, configuration.uid, configuration.gid)


_REQUESTS: dict[str, Request] = {
    "ping": Lab.ping, "status": Lab.status, "boot": Lab.boot, "start": Lab.start, "stop": Lab.stop, "kill": Lab.kill,
    "stall": Lab.stall, "fail": Lab.fail, "keep": Lab.keep,
    "cut": Lab.cut, "heal": Lab.heal, "add": Lab.add, "remove": Lab.remove, "run": Lab.run, "spawn": Lab.spawn,
    "end": Lab.end, "save": Lab.save, "restore": Lab.restore, "down": Lab.down, "renew": Lab.renew,
}  # fmt: skip
