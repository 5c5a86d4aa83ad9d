"""The lab's hold of its hosts, as `squid-ha drill --plug lab.plug:plug` uses it: power, cables, disks, and a client."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from declaration.site import Site
from lab import control, demo, load
from lab.addresses import NODES, address, node_number
from lab.errors import LabError
from lab.host import Network
from lab.paths import run_directory
from operations.drill.disturbances import PlugAction
from operations.proof.model import Request
from operations.verify.requests import Target
from providers.connection.errors import NotVerified

T = TypeVar("T")

_NETWORKS: dict[PlugAction, Network] = {
    "public network": Network.PUBLIC,
    "replication network": Network.REPLICATION,
}


@dataclass
class LabClients:
    """The load client in the lab's namespace `client`."""

    run: str
    rate: float
    place: str = "the lab's client"
    _file: Path | None = None
    _stopped: list[Request] | None = None

    async def start(self, target: Target) -> None:
        """Begin to send."""
        origin = urlsplit(target.url).netloc
        self._file = await _lab(lambda: load.start(self.run, rate=self.rate, proxy=str(target), origin=origin))

    async def read(self) -> list[Request]:
        """The requests that have ended so far."""
        if self._file is None:
            return []
        return self._stopped or [demo.request_of(record) for record in load.read(self._file)]

    async def stop(self) -> list[Request]:
        """Send no more, wait for those under way, and return all."""
        if self._file is not None and self._stopped is None:
            file = self._file
            self._stopped = [demo.request_of(record) for record in await _lab(lambda: load.stop(file))]
        return self._stopped or []


@dataclass(frozen=True)
class LabPlug:
    """Hold of the lab that runs in the run directory."""

    can: frozenset[PlugAction] = frozenset({"power", "public network", "replication network", "disk"})
    disposable: bool = True

    def mismatch(self, site: Site) -> str:
        """Why the site's hosts are not those of the lab in the run directory, by name, address and host keys.

        Empty where they are. The keys are what proves it: to no other host is there a connection with the lab's file
        of them.
        """
        for node in site.nodes:
            wanted = address(Network.PUBLIC, node_number(node.name)) if node.name in NODES else ""
            if node.address != wanted:
                there = f"has it at {wanted}" if wanted else f"has {' and '.join(NODES)}"
                return f"the site's {node.name} is at {node.address}, and the lab {there}"
        declared, keys = site.ssh.known_hosts, run_directory() / "known_hosts"
        if declared is None or Path(declared).expanduser().resolve() != keys.resolve():
            return f"the site's host keys are in {declared or '~/.ssh/known_hosts'}, and the lab's in {keys}"
        return ""

    async def take(self, action: PlugAction, node: str) -> None:
        """Take it away."""
        if action == "power":
            await _lab(lambda: control.call("kill", host=node))
        elif action == "disk":
            await _lab(lambda: control.call("stall", host=node, disk="data"))
        else:
            await _lab(lambda: control.call("cut", host=node, network_name=_NETWORKS[action].value))

    async def give(self, action: PlugAction, node: str) -> None:
        """Give it back."""
        if action == "power":
            await _lab(lambda: control.call("start", host=node))
        elif action == "disk":
            await _lab(lambda: control.call("stall", host=node, disk="data", stalled=False))
        else:
            await _lab(lambda: control.call("heal", host=node, network_name=_NETWORKS[action].value))

    def clients(self, run: str, rate: float) -> LabClients:
        """The lab's client."""
        return LabClients(run, rate)

    def machine(self) -> str:
        """What the lab runs on. Raises `NotVerified` where it does not answer, within 15 s."""
        try:
            told = control.call("status", timeout=15)
        except LabError as error:
            raise NotVerified(str(error)) from None
        kinds = {"vm": "virtual machines", "container": "containers"}
        what = " and ".join(sorted({kinds[host["kind"]] for host in told["hosts"]}))
        how = f" ({told['accelerator']})" if "vm" in {host["kind"] for host in told["hosts"]} else ""
        return f"lab of {what}{how} on {os.cpu_count()} cores of {_processor()}, Linux {platform.release()}"


def _processor() -> str:
    """The processor's name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


async def _lab(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except LabError as error:
        raise NotVerified(f"the lab: {error}") from error


plug = LabPlug()
