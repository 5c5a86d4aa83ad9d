"""Rules of access in squid.conf: for each condition of a rule an ACL of its own, then the rules in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass

ANYBODY = ("REQUIRED",)
"""In the place of users: whoever has logged in."""


@dataclass(frozen=True)
class Rule:
    """One rule; an empty condition is none. ``times`` as Squid writes them, ``MTWHF 08:00-17:00``."""

    action: str
    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


def acls(rules: tuple[Rule, ...]) -> list[str]:
    """Definitions of the conditions; several lines of one name are alternatives."""
    return [
        f"acl {_name(number, condition)} {kind} {value}"
        for number, rule in enumerate(rules, 1)
        for condition, kind, values in _conditions(rule)
        for value in values
    ]


def lines(rules: tuple[Rule, ...]) -> list[str]:
    """The rules themselves."""
    return [f"http_access {rule.action} {_all_of(number, rule)}" for number, rule in enumerate(rules, 1)]


def _all_of(number: int, rule: Rule) -> str:
    names = [_name(number, condition) for condition, _, _ in _conditions(rule)]
    # A denial that ends with a user's name would ask that user to log in as somebody else.
    if not names or (rule.users and rule.action == "deny"):
        names.append("all")
    return " ".join(names)


def _conditions(rule: Rule) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, Squid's type and values; the login last, so that only those are asked for it whom the rest fits."""
    every = [
        ("networks", "src", rule.networks),
        # -n: without it, Squid looks up the name of every address that a client asks for.
        ("domains", "dstdomain -n", rule.domains),
        ("methods", "method", rule.methods),
        ("ports", "port", rule.ports),
        ("times", "time", rule.times),
        ("users", *_users(rule.users)),
    ]
    return [each for each in every if each[2]]


def _users(users: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Squid's type and values for users, in capital or small letters alike.

    ``proxy_auth -i`` cannot say this: Squid 6 makes its list small, and compares what stands in it with case
    (src/acl/UserData.cc), so that names of Kerberos would fit none.
    """
    if users == ANYBODY:
        return "proxy_auth", users
    return "proxy_auth_regex -i", tuple(f"^{_literal(user)}$" for user in users)


def _literal(user: str) -> str:
    """A name as an extended regular expression: in brackets, which Squid's own reading of a line leaves alone."""
    return re.sub(r"[^A-Za-z0-9@/_-]", r"[\g<0>]", user)


def _name(number: int, condition: str) -> str:
    return f"rule_{number}_{condition}"
