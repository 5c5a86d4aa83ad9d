"""Rules between settings: each may be right alone, and not together.

A rule is a function of a `Site` that yields mistakes, registered with the parts of the site it looks at. It is asked
as soon as these parts are sound by themselves, however wrong the others are, so that all mistakes are told at once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rules import (
    access,
    addresses,
    alerts,
    drill,
    engine,
    firewall,
    hooks,
    lifekeeper,
    logs,
    mirror,
    names,
    parts,
    repeats,
    rotation,
    squid,
    time,
)
from declaration.rules.registry import RULES

if TYPE_CHECKING:
    from declaration.site import Site

__all__ = [
    "RULES",
    "access",
    "addresses",
    "alerts",
    "drill",
    "engine",
    "firewall",
    "hooks",
    "lifekeeper",
    "logs",
    "mirror",
    "mistakes_of",
    "names",
    "parts",
    "repeats",
    "rotation",
    "squid",
    "time",
]


def mistakes_of(site: Site, unsound: Collection[str] = ()) -> list[Mistake]:
    """What does not hold together in ``site``, leaving out rules about its ``unsound`` parts."""
    broken = set(unsound)
    return [mistake for rule in RULES if not broken & rule.parts for mistake in rule.check(site)]
