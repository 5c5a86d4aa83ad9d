"""The IP kit: the address on its interface, announced, checked, taken away."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import struct
from pathlib import Path
from typing import Any, cast

from lab.lifekeeper.node.shell import Failed, must, run


def hex_mask(netmask: str) -> str:
    """As info strings have it: ffffff00."""
    return f"{int(ipaddress.IPv4Address(netmask)):08x}"


async def interface_for(address: str) -> tuple[str, str]:
    """The interface whose network the address belongs to, with its netmask. Raises `Failed`."""
    for card in await _cards():
        for each in card["addr_info"]:
            if each["family"] != "inet" or each.get("label", "").endswith(":lk"):
                continue
            network = ipaddress.ip_interface(f"{each['local']}/{each['prefixlen']}").network
            if card["ifname"] != "lo" and ipaddress.ip_address(address) in network and network.num_addresses > 1:
                return card["ifname"], str(network.netmask)
    raise Failed(5, f"no interface of this system is in the network of {address}")


async def _cards() -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", json.loads(await must("ip", "-json", "address", "show", "up")))


async def is_here(address: str) -> bool:
    """Whether this system has the address."""
    return any(each["local"] == address for card in await _cards() for each in card["addr_info"])


async def in_use(address: str) -> bool:
    """Whether somebody on the network answers for it."""
    return (await run("ping", "-c", "2", "-i", "0.3", "-W", "1", address)).code == 0


async def start(kit: dict[str, str]) -> None:
    """Add and announce it. Raises `Failed` also when somebody else answers for it."""
    address = kit["address"]
    if not await is_here(address):
        if await in_use(address):
            raise Failed(5, f"the address {address} is in use on the network")
        prefix = ipaddress.ip_network(f"0.0.0.0/{kit['netmask']}").prefixlen
        await must("ip", "address", "add", f"{address}/{prefix}", "dev", kit["interface"], "label", _label(kit))
    for _ in range(3):
        announce(address, kit["interface"])
        await asyncio.sleep(0.1)


def _label(kit: dict[str, str]) -> str:
    return f"{kit['interface'][:12]}:lk"


async def stop(kit: dict[str, str]) -> None:
    """Take it away; not there is fine. Raises `Failed`."""
    if await is_here(kit["address"]):
        prefix = ipaddress.ip_network(f"0.0.0.0/{kit['netmask']}").prefixlen
        await must("ip", "address", "delete", f"{kit['address']}/{prefix}", "dev", kit["interface"])


async def check(kit: dict[str, str]) -> bool:
    """Whether it is here, on an interface that has a link."""
    carrier = Path(f"/sys/class/net/{kit['interface']}/carrier")
    try:
        linked = carrier.read_text().strip() == "1"
    except OSError:
        linked = False
    return linked and await is_here(kit["address"])


def announce(address: str, interface: str) -> None:
    """One gratuitous ARP (RFC 5227): everybody on the network learns where the address is now."""
    mac = bytes.fromhex(Path(f"/sys/class/net/{interface}/address").read_text().strip().replace(":", ""))
    own = socket.inet_aton(address)
    everybody = b"\xff" * 6
    packet = struct.pack("!6s6sHHHBBH", everybody, mac, 0x0806, 1, 0x0800, 6, 4, 1) + mac + own + everybody + own
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        raw.send(packet)
