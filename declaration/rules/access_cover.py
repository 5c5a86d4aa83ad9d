"""Whether rules of access leave nothing for a later one: sound, never complete.

A rule fits a request that meets all its conditions, and a condition is met by any of its values. So an earlier rule
decides on all that a later one could fit if each condition of the earlier holds for whatever meets the later. Several
do so together if each lacks nothing but the same condition, and that one holds with the values of all of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from declaration.addresses import Network, network
from declaration.squid_access import AccessRule, days_of, minutes_of, ports_of

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_ALL_PORTS = ("0-65535",)
_ALWAYS = ("sun-sat",)
_LOGIN = "authenticated"


def deciding(earlier: Sequence[AccessRule], later: AccessRule) -> tuple[int, ...]:
    """Places of rules that together fit every request that ``later`` fits; none where no such are found."""
    lacking: dict[str, list[int]] = {}
    for place, each in enumerate(earlier):
        lacks = _lacks(each, later)
        if not lacks:
            return (place,)
        if len(lacks) == 1:
            lacking.setdefault(lacks[0], []).append(place)
    return next(
        (
            _needed(name, earlier, places, later)
            for name, places in lacking.items()
            if _hold_together(name, [earlier[place] for place in places], later)
        ),
        (),
    )


def covers(earlier: AccessRule, later: AccessRule) -> bool:
    """Whether ``earlier`` fits every request that ``later`` fits."""
    return not _lacks(earlier, later)


def _lacks(earlier: AccessRule, later: AccessRule) -> list[str]:
    """Conditions of ``earlier`` that some request which fits ``later`` may not meet."""
    found = [
        name
        for name, holds in _HOLDS.items()
        if (values := getattr(earlier, name)) and not holds(values, getattr(later, name))
    ]
    return [*found, _LOGIN] if earlier.authenticated and not later.asks_for_login else found


def _hold_together(name: str, rules: Iterable[AccessRule], later: AccessRule) -> bool:
    """Whether whatever fits ``later`` has the condition ``name`` of one of the rules."""
    if name == _LOGIN:
        return False
    return _HOLDS[name]([value for each in rules for value in getattr(each, name)], getattr(later, name))


def _needed(name: str, earlier: Sequence[AccessRule], places: Sequence[int], later: AccessRule) -> tuple[int, ...]:
    """As few of the places as it takes."""
    left = list(places)
    for place in places:
        others = [each for each in left if each != place]
        if _hold_together(name, [earlier[each] for each in others], later):
            left = others
    return tuple(left)


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


def _users(outer: Iterable[str], inner: Iterable[str]) -> bool:
    return _within(_small(outer), _small(inner))


def _domains(outer: Sequence[str], inner: Sequence[str]) -> bool:
    return bool(inner) and all(any(holds_domain(one, other) for one in outer) for other in inner)


def _networks(outer: Sequence[str], inner: Sequence[str]) -> bool:
    merged = [each for version in (4, 6) for each in _merged(outer, version)]
    return all(any(_is_subnet(network(one), other) for other in merged) for one in inner or _EVERYWHERE)


def _merged(networks: Sequence[str], version: int) -> list[Network]:
    chosen = [each for each in map(network, networks) if each.version == version]
    return cast("list[Network]", list(ipaddress.collapse_addresses(cast("list[ipaddress.IPv4Network]", chosen))))


def _is_subnet(one: Network, other: Network) -> bool:
    if one.version != other.version:
        return False
    return other.network_address <= one.network_address and one.broadcast_address <= other.broadcast_address  # type: ignore[operator]


def _ports(outer: Sequence[str], inner: Sequence[str]) -> bool:
    merged = _joined([ports_of(text) for text in outer])
    return all(
        any(low <= first and last <= high for low, high in merged) for first, last in map(ports_of, inner or _ALL_PORTS)
    )


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
        for text in inner or _ALWAYS
        for first, last in [minutes_of(text)]
        for day in days_of(text)
    )


_HOLDS: Mapping[str, Callable[[Sequence[str], Sequence[str]], bool]] = {
    "networks": _networks,
    "domains": _domains,
    "methods": _within,
    "ports": _ports,
    "times": _times,
    "users": _users,
}
"""Condition → whether each request that meets it with a value of the second list, or with any value if that is empty,
meets it with one of the first."""
