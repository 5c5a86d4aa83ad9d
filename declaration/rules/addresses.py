"""Addresses: each in its network, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.addresses import address, network
from declaration.errors import Mistake
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site


def _misplaced(path: str, ip: str, subnet: str, subnet_path: str) -> Iterator[Mistake]:
    if address(ip) not in network(subnet):
        yield Mistake(path, ip, f"an address in {subnet} (`{subnet_path}`)")
    else:
        yield from _no_hosts(path, ip, subnet)


def _no_hosts(path: str, ip: str, subnet: str) -> Iterator[Mistake]:
    net = network(subnet)
    if net.num_addresses > 2 and address(ip) in {net.network_address, net.broadcast_address}:  # noqa: PLR2004
        yield Mistake(path, ip, f"the address of a host in {subnet}, neither its first nor its last")


@rule("nodes", "network")
def nodes_in_networks(site: Site) -> Iterator[Mistake]:
    """Each node's addresses lie in the networks declared for them."""
    replication = site.network.replication
    for index, node in enumerate(site.nodes):
        path = f"nodes[{index}]"
        yield from _misplaced(f"{path}.address", node.address, site.network.public.subnet, "network.public.subnet")
        own = node.replication_address
        if own is not None and replication is not None:
            yield from _misplaced(f"{path}.replication_address", own, replication.subnet, "network.replication.subnet")
        if own is not None and replication is None:
            yield Mistake(f"{path}.replication_address", own, "a network for it under `network.replication`")
        if own is None and replication is not None:
            yield Mistake(
                f"{path}.replication_address",
                None,
                f"the node's address in {replication.subnet} (`network.replication`)",
            )


@rule("network")
def networks_apart(site: Site) -> Iterator[Mistake]:
    """Two networks that overlap cannot be told apart by routing, nor fail apart."""
    public, replication = site.network.public, site.network.replication
    if replication is None:
        return
    one, other = network(public.subnet), network(replication.subnet)
    if one.version == other.version and one.overlaps(other):
        yield Mistake(
            "network.replication.subnet", replication.subnet, f"a network apart from the public one, {public.subnet}"
        )
    if public.interface == replication.interface:
        yield Mistake(
            "network.replication.interface",
            replication.interface,
            "an interface of its own: the second link shall outlive the first",
        )


@rule("nodes", "network", "virtual_ip")
def virtual_ip_in_network(site: Site) -> Iterator[Mistake]:
    """The virtual IP lies in the public network and belongs to nobody else."""
    if site.virtual_ip is None:
        return
    yield from _misplaced("virtual_ip", site.virtual_ip, site.network.public.subnet, "network.public.subnet")
    for node in site.nodes:
        if site.virtual_ip in {node.address, node.replication_address}:
            yield Mistake("virtual_ip", site.virtual_ip, f"an address of its own: this is that of {node.name}")


@rule("nodes")
def nodes_have_own_addresses(site: Site) -> Iterator[Mistake]:
    """No address twice."""
    seen: dict[str, str] = {}
    for index, node in enumerate(site.nodes):
        for setting, ip in (("address", node.address), ("replication_address", node.replication_address)):
            path = f"nodes[{index}].{setting}"
            if ip is not None and seen.setdefault(ip, path) != path:
                yield Mistake(path, ip, f"an address of its own: `{seen[ip]}` is the same")


@rule("nodes", "ssh", "virtual_ip")
def nodes_have_own_endpoints(site: Site) -> Iterator[Mistake]:
    """What is done on one node must not be done on another one, nor on whichever has the virtual IP."""
    if "%n" in (site.ssh.proxy_command or ""):
        return
    seen: dict[tuple[str, int], int] = {}
    for index, node in enumerate(site.nodes):
        if node.ssh_host is not None and node.ssh_host == site.virtual_ip:
            expected = "a host of its own: behind the virtual IP is whichever node is active"
            yield Mistake(f"nodes[{index}].ssh_host", node.ssh_host, expected)
            continue
        endpoint = node.connect_to.lower(), node.ssh_port or site.ssh.port
        first = seen.setdefault(endpoint, index)
        named = next((each for each in (index, first) if site.nodes[each].ssh_host is not None), None)
        if first != index and named is not None:
            other = first if named == index else index
            yield Mistake(
                f"nodes[{named}].ssh_host",
                site.nodes[named].ssh_host,
                f"an SSH server of its own: nodes[{other}] is reached at {endpoint[0]} by port {endpoint[1]} too;"
                " nodes behind one address have an `ssh_port` each",
            )


def own_hosts(site: Site) -> frozenset[str]:
    """What names a host of the site itself: its addresses and names, in small letters."""
    found = {value for node in site.nodes for value in (node.address, node.replication_address, node.name)}
    return frozenset(value.lower() for value in (*found, site.virtual_ip) if value)


@rule("nodes", "network", "virtual_ip")
def reachable_is_elsewhere(site: Site) -> Iterator[Mistake]:
    """What shows that the network is there must not be the site itself."""
    own = own_hosts(site)
    for index, ip in enumerate(site.network.public.reachable):
        if ip in own:
            yield Mistake(
                f"network.public.reachable[{index}]", ip, "an address outside of this site, such as the gateway's"
            )


@rule("network")
def reachable_are_hosts(site: Site) -> Iterator[Mistake]:
    """No host has an IPv4 network's first or last address; with IPv6 the first one is its routers'."""
    subnet = site.network.public.subnet
    for index, ip in enumerate(site.network.public.reachable):
        if network(subnet).version == 4:  # noqa: PLR2004
            yield from _no_hosts(f"network.public.reachable[{index}]", ip, subnet)


@rule("nodes", "virtual_ip", "time")
def time_is_elsewhere(site: Site) -> Iterator[Mistake]:
    """Two clocks that follow each other follow nobody."""
    own = own_hosts(site)
    for index, server in enumerate(site.time.servers if site.time else ()):
        if server.lower() in own:
            yield Mistake(f"time.servers[{index}]", server, "a time source outside of this site")
