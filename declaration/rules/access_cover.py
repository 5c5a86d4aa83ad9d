"""Whether one rule of access leaves nothing for another: sound, never complete.

A rule fits a request that meets all its conditions, and a condition is met by any of its values. So an earlier rule
decides on all that a later one could fit if each condition of the earlier holds for whatever meets the later. What
takes several earlier rules together is not looked for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import cast

from declaration.addresses import Network, network
from declaration.squid_access import AccessRule, days_of, minutes_of, ports_of

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_ALL_PORTS = "0-65535"


def covers(earlier: AccessRule, later: AccessRule) -> bool:
    """Whether ``earlier`` fits every request that ``later`` fits."""
    return (
        (not earlier.networks or _networks(earlier.networks, later.networks or _EVERYWHERE))
        and (not earlier.domains or _domains(earlier.domains, later.domains))
        and (not earlier.methods or _within(earlier.methods, later.methods))
        and (not earlier.ports or _ports(earlier.ports, later.ports or (_ALL_PORTS,)))
        and (not earlier.times or _times(earlier.times, later.times or ("sun-sat",)))
        and (not earlier.users or _within(_small(earlier.users), _small(later.users)))
        and (not earlier.authenticated or later.asks_for_login)
    )


def fits_all(rule: AccessRule) -> bool:
    """Whether the rule has no condition."""
    return covers(rule, AccessRule(action=rule.action))


def guarded(rule: AccessRule, *, safe: Sequence[str], connect: Sequence[str]) -> str:
    """Why no request that fits ``rule`` gets past the guards on ports; '' if one may."""
    if not rule.ports:
        return ""
    if not share_a_port(rule.ports, safe):
        return "ports of which `squid.safe_ports` has one: requests to others are denied before this rule"
    if rule.methods != ("CONNECT",):
        return ""
    if not share_a_port(rule.ports, connect):
        return "ports of which `squid.connect_ports` has one: tunnels to others are denied before this rule"
    if not share_a_port(rule.ports, safe, connect):
        return (
            "ports of which `squid.safe_ports` and `squid.connect_ports` both have the same one:"
            " tunnels to others are denied before this rule"
        )
    return ""


def share_a_port(*lists: Sequence[str]) -> bool:
    """Whether there is a port that each of the lists has."""
    # Spans that have a port in common have the first port of one of them in common.
    starts = {ports_of(text)[0] for each in lists for text in each}
    return any(all(any(_has(text, port) for text in each) for each in lists) for port in starts)


def holds_domain(outer: str, inner: str) -> bool:
    """Whether whatever fits the domain ``inner`` fits ``outer`` too."""
    if not outer.startswith("."):
        return outer == inner
    return f".{inner.removeprefix('.')}".endswith(outer)


def _small(users: Iterable[str]) -> list[str]:
    """Names as rules compare them: in capital or small letters alike."""
    return [user.lower() for user in users]


def _within(outer: Iterable[str], inner: Iterable[str]) -> bool:
    """Whether ``inner`` is a condition at all, and all its values are among ``outer``."""
    values = set(inner)
    return bool(values) and values <= set(outer)


def _domains(outer: Sequence[str], inner: Sequence[str]) -> bool:
    return bool(inner) and all(any(holds_domain(one, other) for one in outer) for other in inner)


def _networks(outer: Sequence[str], inner: Sequence[str]) -> bool:
    merged = [each for version in (4, 6) for each in _merged(outer, version)]
    return all(any(_is_subnet(network(one), other) for other in merged) for one in inner)


def _merged(networks: Sequence[str], version: int) -> list[Network]:
    chosen = [each for each in map(network, networks) if each.version == version]
    return cast("list[Network]", list(ipaddress.collapse_addresses(cast("list[ipaddress.IPv4Network]", chosen))))


def _is_subnet(one: Network, other: Network) -> bool:
    if one.version != other.version:
        return False
    return other.network_address <= one.network_address and one.broadcast_address <= other.broadcast_address  # type: ignore[operator]


def _ports(outer: Sequence[str], inner: Sequence[str]) -> bool:
    merged = _joined([ports_of(text) for text in outer])
    return all(any(low <= first and last <= high for low, high in merged) for first, last in map(ports_of, inner))


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _has(ports: str, port: int) -> bool:
    first, last = ports_of(ports)
    return first <= port <= last


def _times(outer: Sequence[str], inner: Sequence[str]) -> bool:
    merged = {day: _joined(minutes_of(text) for text in outer if day in days_of(text)) for day in range(7)}
    return all(
        any(low <= first and last <= high for low, high in merged[day])
        for text in inner
        for first, last in [minutes_of(text)]
        for day in days_of(text)
    )
