"""Bridges, cables and network namespaces inside the tree. Runs only there, as root."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import addresses
from lab.errors import LabError
from lab.host import Network

LONGEST_INTERFACE_NAME = 15
"""Characters; the kernel's limit."""


async def run(*argv: str, timeout: float = 60.0, input: bytes | None = None) -> str:
    """Run a command inside the tree and return what it wrote to standard output.

    Raises LabError with the exit code and the last lines of standard error.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(input)
    except TimeoutError:
        process.kill()
        raise LabError(f"`{' '.join(argv)}` in the lab took longer than {timeout:g} s") from None
    if process.returncode != 0:
        last = " / ".join(err.decode(errors="replace").strip().splitlines()[-3:])
        raise LabError(f"`{' '.join(argv)}` in the lab ended with {process.returncode}: {last}")
    return out.decode(errors="replace")


@dataclass(frozen=True)
class Tree:
    """What a host may use of the tree it is part of."""

    directory: Path
    """The run directory: consoles and logs go there."""
    memory: Path
    """A tmpfs that ends with the tree."""
    lock: int
    """Open file that says the tree lives; a host passes it on to its longest-living process (`pass_fds`)."""

    async def run(self, *argv: str, timeout: float = 60.0, input: bytes | None = None) -> str:
        """See `lab.network.run`."""
        return await run(*argv, timeout=timeout, input=input)

    async def add_namespace(self, name: str) -> None:
        """Make the network namespace /run/netns/<name>, with its loopback up."""
        await run("ip", "netns", "add", name)
        await run("ip", "-n", name, "link", "set", "lo", "up")

    async def remove_namespace(self, name: str) -> None:
        """Give a namespace back; the cables into it go with it once nothing runs in it."""
        await run("ip", "netns", "delete", name)

    async def add_cable(self, namespace: str, interface: str, network: Network, address: str, mac: str) -> str:
        """Connect a namespace to a network by a veth pair and return the name of the end on the bridge.

        `address` is without prefix length; an empty one leaves the interface without address.
        """
        outer = cable_name(namespace, network)
        await run(
            "ip", "link", "add", outer, "type", "veth", "peer", "name", interface, "netns", namespace, "address", mac
        )
        await run("ip", "link", "set", outer, "master", network.value, "up")
        if address:
            await run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", interface)
        await run("ip", "-n", namespace, "link", "set", interface, "up")
        return outer

    async def add_tap(self, host: str, network: Network) -> str:
        """Make the tap that a virtual machine's card on `network` is connected to, and return its name."""
        name = cable_name(host, network)
        await run("ip", "tuntap", "add", "dev", name, "mode", "tap")
        await run("ip", "link", "set", name, "master", network.value, "up")
        return name


def cable_name(host: str, network: Network) -> str:
    """The name of a host's cable on the bridge's side. Raises LabError when it is too long."""
    name = f"{host}-{network.value}"
    if len(name) > LONGEST_INTERFACE_NAME:
        raise LabError(f"the host name {host!r} is too long for the lab: at most 11 characters")
    return name


async def set_up(tree: Tree) -> None:
    """Make the bridges, and the namespaces `origin` and `client` on the public one."""
    await run("ip", "link", "set", "lo", "up")
    for network in Network:
        own_mac = addresses.SUPERVISOR_MAC if network is Network.PUBLIC else addresses.mac(network, 254)
        await run("ip", "link", "add", "name", network.value, "address", own_mac, "type", "bridge", "stp_state", "0",
                  "forward_delay", "0", "mcast_snooping", "0")  # fmt: skip
        await run("ip", "link", "set", network.value, "up")
    await run("ip", "address", "add", f"{addresses.SUPERVISOR}/24", "dev", Network.PUBLIC.value)
    for name, address, mac in (
        ("origin", addresses.ORIGIN, addresses.ORIGIN_MAC),
        ("client", addresses.CLIENT, addresses.CLIENT_MAC),
    ):
        await tree.add_namespace(name)
        await tree.add_cable(name, "eth0", Network.PUBLIC, address, mac)


async def cut(links: Mapping[Network, str], network: Network) -> None:
    """Take a host's cable off its bridge. The host still sees a carrier, as behind a switch that broke."""
    await run("ip", "link", "set", links[network], "nomaster")


async def heal(links: Mapping[Network, str], network: Network) -> None:
    """Put a host's cable back on its bridge; on one that is there already: nothing."""
    await run("ip", "link", "set", links[network], "master", network.value, "up")


async def is_cut(links: Mapping[Network, str], network: Network) -> bool:
    """Whether a host's cable is off its bridge."""
    (link,) = json.loads(await run("ip", "-json", "link", "show", "dev", links[network]))
    return "master" not in link
