"""Addresses, subnets and interfaces, kept as canonical text."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from declaration.types import is_host_name, matching, written, wrong

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def _ip(text: str) -> str:
    alone, slash, _ = text.partition("/")
    if slash and _is_ip(alone):
        raise wrong(f"an address without the length of its network, such as `{alone}`")
    _refuse_url(text, "an address alone", "192.0.2.11")
    if "%" in text:
        raise wrong("an address without a zone, such as `2001:db8::11`")
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise wrong(f"an IPv4 address in its own notation, such as `{address.ipv4_mapped}`")
    if address.is_unspecified or address.is_loopback or address.is_multicast or text == "255.255.255.255":
        raise wrong("the address of one host in a network, such as `192.0.2.11`")
    return str(address)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refuse_url(text: str, expected: str, example: str) -> None:
    if scheme := _SCHEME.match(text):
        raise wrong(f"{expected}, without `{scheme[0]}`, such as `{example}`")


def _subnet(text: str) -> str:
    if "/" not in text:
        raise wrong(f"a network with its length, such as `192.0.2.0/24` (one host: `{_host_route(text)}`)")
    try:
        net = ipaddress.ip_network(text)
    except ValueError:
        # Host bits set is the usual slip, and the network it lies in the usual meaning.
        meant = ipaddress.ip_network(text, strict=False)
        raise wrong(f"a network's own address: `{meant}` holds {text.partition('/')[0]}") from None
    if (plain := without_mapping(net)) != net:
        raise wrong(f"an IPv4 network in its own notation, such as `{plain}`")
    return str(net)


def _host_route(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return "192.0.2.7/32"


def _host(text: str) -> str:
    _refuse_url(text, "a host's name or address alone", "proxy.example.org")
    return text if is_host_name(text) else _ip(text)


Ip = Annotated[str, written("an IPv4 or IPv6 address, such as `192.0.2.11` or `2001:db8::11`", _ip)]
Subnet = Annotated[str, written("a network with its length, such as `192.0.2.0/24` or `2001:db8::/64`", _subnet)]
Host = Annotated[str, written("a host name or an address, such as `ntp.example.org` or `192.0.2.1`", _host)]
InterfaceName = Annotated[
    str,
    written(
        "the name of a network interface as `ip link` prints it, such as `eth0` (at most 15 characters)",
        matching(r"[A-Za-z][A-Za-z0-9_.-]{0,14}"),
    ),
]


def network(subnet: str) -> Network:
    """The network that a `Subnet` names."""
    return ipaddress.ip_network(subnet)


def address(ip: str) -> Address:
    """The address that an `Ip` names."""
    return ipaddress.ip_address(ip)


_SHARED = ipaddress.IPv4Network("100.64.0.0/10")
_TUNNELS = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))
"""6to4 (RFC 3056) and Teredo (RFC 4380): anybody with an IPv4 address has one there. Python's `ipaddress` counts them
as private or not by its patch level."""
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def without_mapping(net: Network) -> Network:
    """The IPv4 network that one of IPv4-mapped IPv6 addresses (RFC 4291, 2.5.5.2) stands for; others as they are."""
    if isinstance(net, ipaddress.IPv4Network) or not net.subnet_of(_MAPPED):
        return net
    return ipaddress.IPv4Network((int(net.network_address) & 0xFFFFFFFF, net.prefixlen - _MAPPED.prefixlen))


def is_public(net: Network) -> bool:
    """Whether any of ``net`` is on the internet (RFC 1918, 4193, 6598 and test networks are not)."""
    plain = without_mapping(net)
    if isinstance(plain, ipaddress.IPv4Network) and plain.subnet_of(_SHARED):
        return False
    if isinstance(plain, ipaddress.IPv6Network) and any(plain.overlaps(tunnels) for tunnels in _TUNNELS):
        return True
    return plain.prefixlen == 0 or not (plain.is_private or plain.is_link_local or plain.is_loopback)
