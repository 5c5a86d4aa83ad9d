"""The site's table of nftables as text. Facts: nft(8).

One transaction: the table is added (nothing, where it is there), deleted and made anew, so that no packet meets half of
it. Nothing else of the ruleset is named, so nothing else is touched.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TABLE = "squid_ha"
"""Of the family inet: for IPv4 and IPv6."""

_PLAIN = re.compile(r"[A-Za-z0-9 ,.:/_-]*")
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_LONGEST_COMMENT = 120


@dataclass(frozen=True)
class Opening:
    """``ports`` of ``protocol`` that are let in; of a range whoever listens takes one that nobody knows beforehand.

    ``sources`` are networks or addresses (empty: everybody), ``interface`` is the only one that they come in by (None:
    any), ``what`` says what for.
    """

    what: str
    protocol: Literal["tcp", "udp"]
    ports: tuple[int, ...] | range
    sources: tuple[str, ...] = ()
    interface: str | None = None


def render(ssh_ports: Sequence[int], openings: Sequence[Opening]) -> str:
    """The file that loads the table. Raises `ValueError` on a name or a text that nft would read as something else."""
    ssh = Opening("SSH, from everywhere", "tcp", tuple(ssh_ports))
    rules = [
        'iifname "lo" accept',
        # First of all that can refuse: whatever follows, nobody is locked out.
        *_opened(ssh),
        'ct state established,related accept comment "answers"',
        # What conntrack has not seen the beginning of: connections from before this table was loaded, and those of
        # clients after the virtual IP has moved here, which the kernel then resets by itself.
        'tcp flags & (fin | syn | rst | ack) != syn accept comment "not the beginning of a connection"',
        'meta l4proto { icmp, ipv6-icmp } accept comment "ICMP"',
        'ip6 saddr fe80::/10 udp dport 546 accept comment "DHCPv6"',
        *(rule for opening in openings for rule in _opened(opening)),
        'meta pkttype { broadcast, multicast } drop comment "not addressed to this node"',
        'meta l4proto tcp reject with tcp reset comment "any other port"',
        'reject with icmpx port-unreachable comment "anything else"',
    ]
    return (
        "# Written by squid-ha; changes made here are reported as drift.\n"
        f"table inet {TABLE}\n"
        f"delete table inet {TABLE}\n"
        f"table inet {TABLE} {{\n"
        "\tchain input {\n"
        # The last rules refuse, not the policy: a chain that somebody empties lets everybody in instead of nobody.
        "\t\ttype filter hook input priority filter; policy accept;\n"
        + "".join(f"\t\t{rule}\n" for rule in rules)
        + "\t}\n}\n"
    )


def _opened(opening: Opening) -> Iterator[str]:
    """A rule for each family of addresses that the sources are of."""
    if opening.interface is not None and not _INTERFACE.fullmatch(opening.interface):
        raise ValueError(f"{opening.interface!r} is not the name of an interface")
    if not _PLAIN.fullmatch(opening.what) or len(opening.what) > _LONGEST_COMMENT:
        raise ValueError(f"{opening.what!r} cannot be a comment")
    if not opening.ports or not all(0 < port < 1 << 16 for port in opening.ports):
        raise ValueError(f"{opening.ports} are not ports")
    interface = f'iifname "{opening.interface}" ' if opening.interface else ""
    ports = f"{opening.protocol} dport {_ports(opening.ports)}"
    for sources in _sources(opening.sources):
        yield f'{interface}{sources}{ports} accept comment "{opening.what}"'


def _ports(ports: tuple[int, ...] | range) -> str:
    if isinstance(ports, range):
        return f"{ports[0]}-{ports[-1]}"
    return _set([str(port) for port in sorted(set(ports))])


def _sources(sources: Sequence[str]) -> Iterator[str]:
    if not sources:
        yield ""
        return
    networks = [ipaddress.ip_network(source) for source in sources]
    # nft refuses a set whose networks overlap, and takes no network of everybody.
    four = list(ipaddress.collapse_addresses([each for each in networks if isinstance(each, ipaddress.IPv4Network)]))
    six = list(ipaddress.collapse_addresses([each for each in networks if isinstance(each, ipaddress.IPv6Network)]))
    for found, family, match in ((four, "ipv4", "ip saddr"), (six, "ipv6", "ip6 saddr")):
        if any(each.prefixlen == 0 for each in found):
            yield f"meta nfproto {family} "
        elif found:
            yield f"{match} {_set([_address(each) for each in found])} "


def _address(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _set(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{{ {', '.join(words)} }}"
