"""Whom rules of access let in: whether a rule that allows is sure to fit only known networks, or who has logged in.

Sound in one direction: what counts as closed is closed. What cannot be told (lists in files, external helpers, users
that such helpers name) is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence

from declaration.addresses import is_public
from providers.squid.conf import Directive

_LOGIN = ("proxy_auth", "proxy_auth_regex")
_CERTIFICATE = ("user_cert", "ca_cert")
_HARDWARE = ("arp", "eui64")
_DEPTH = 16

Lists = Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]
"""Access lists by name in small letters: type and values of each line, which are alternatives."""

BUILT_IN: Lists = {
    "all": [("src", ("0.0.0.0/0", "::/0"))],
    "localhost": [("src", ("127.0.0.1/32", "::1/128"))],
    "manager": [("url_regex", ())],
    "to_localhost": [("dst", ())],
    "to_linklocal": [("dst", ())],
    "connect": [("method", ("CONNECT",))],
}


def lists_of(found: Sequence[Directive]) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """The access lists that these directives define, with Squid's own."""
    lists = {name: list(lines) for name, lines in BUILT_IN.items()}
    for each in found:
        if each.name == "acl" and len(each.words) > 1:
            values = tuple(word for word in each.words[2:] if not _is_option(word))
            lists.setdefault(each.words[0].lower(), []).append((each.words[1].lower(), values))
    return lists


def _is_option(word: str) -> bool:
    return word in ("-i", "+i", "-n", "-m", "--") or word.startswith("-m=")


def lets_anybody_in(rule: Directive, lists: Lists, *, logins: bool = True) -> bool:
    """Whether an ``http_access allow``, or another rule of its form, may fit a client from anywhere whom nobody knows.

    ``logins``: whether having logged in makes a client known.
    """
    kinds = (*_CERTIFICATE, *(_LOGIN if logins else ()))
    return rule.words[:1] == ("allow",) and not any(_limits(name, lists, kinds, _DEPTH) for name in rule.words[1:])


def fits_everybody(rule: Directive, lists: Lists) -> bool:
    """Whether a rule fits every request for certain."""
    return all(_is_all(name, lists) for name in rule.words[1:]) and len(rule.words) > 1


def _is_all(name: str, lists: Lists) -> bool:
    return any(
        kind == "src" and "0.0.0.0/0" in values and "::/0" in values for kind, values in lists.get(name.lower(), ())
    )


def _limits(name: str, lists: Lists, kinds: Collection[str], depth: int) -> bool:
    """Whether a client that fits this list is known: from a network of one's own, or by one of these ``kinds``."""
    lines = lists.get(name.lower(), ())
    return bool(lines) and depth > 0 and all(_line_limits(kind, values, lists, kinds, depth) for kind, values in lines)


def _line_limits(kind: str, values: Sequence[str], lists: Lists, kinds: Collection[str], depth: int) -> bool:
    if kind == "src":
        return bool(values) and all(_is_private(value) for value in values)
    if kind == "all-of":
        return any(_limits(value, lists, kinds, depth - 1) for value in values)
    if kind == "any-of":
        return bool(values) and all(_limits(value, lists, kinds, depth - 1) for value in values)
    return kind in kinds or (kind in _HARDWARE and bool(values) and not any('"' in value for value in values))


def _is_private(value: str) -> bool:
    """Whether a value of ``src`` (address, network, range, either with a mask) holds no address of the internet."""
    place, _, mask = value.partition("/")
    first, dash, last = place.partition("-")
    try:
        if not dash:
            net = ipaddress.ip_network(f"{first}/{mask}" if mask else first, strict=False)
            # Squid reads 0.0.0.255 as a mask, Python as the rest of one.
            return not is_public(net) and (mask.isdigit() or not mask or mask == str(net.netmask))
        ends = (ipaddress.ip_address(first), ipaddress.ip_address(last))
        if mask or ends[0].version != ends[1].version or int(ends[0]) > int(ends[1]):
            return False
        # Blocks of the range: each of one's own, so all of it is.
        return all(not is_public(net) for net in ipaddress.summarize_address_range(*ends))
    except ValueError:
        return False
