"""Changes that somebody makes by hand on a pair: what drift names then, and what `up` does about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from blueprint.thing import Thing
from providers.connection.errors import HostError
from tests.support.things import Found, Site

BIN = "/opt/LifeKeeper/bin"


class Hand(NamedTuple):
    """What is typed on a node; ``lifekeeper``: a command of its own, without its folder."""

    node: str
    line: str
    lifekeeper: bool = True

    @property
    def shell(self) -> str:
        """For a shell of root."""
        return f"{BIN}/{self.line}" if self.lifekeeper else self.line


def system(node: str, line: str) -> Hand:
    """Of the system's own, not of LifeKeeper's."""
    return Hand(node, line, lifekeeper=False)


@dataclass(frozen=True)
class Change:
    """``found`` is all that drift tells then. ``refused``: how `up` says that it cannot repair this, as a pattern;
    ``back`` is what somebody types then, before the next `up`."""

    by_hand: Sequence[Hand]
    found: frozenset[Found]
    refused: str = ""
    back: Sequence[Hand] = ()

    @property
    def spoken(self) -> bool:
        """Whether LifeKeeper's own commands make it, so that a pair in memory can be told."""
        return all(hand.lifekeeper for hand in (*self.by_hand, *self.back))


LIMIT = 60.0
"""Seconds until everybody has noticed a change: a dead path, by then, too."""


def try_out(nodes: Site, listed: Sequence[Thing], change: Change) -> None:
    """Make the change on nodes without drift, and have it repaired as `pulumi up --refresh` does: what differs, only.

    Fails where drift tells anything else, and where any is left.
    """
    _type(nodes, change.by_hand)
    found = _wait(nodes, listed, set(change.found))
    if change.refused:
        with pytest.raises(HostError, match=change.refused):
            _repair(nodes, listed, found)
        _type(nodes, change.back)
        found = nodes.findings(listed)
    _repair(nodes, listed, found)
    _wait(nodes, listed, set())  # where LifeKeeper was started anew, its paths live again within a heartbeat or two


def _type(nodes: Site, hands: Sequence[Hand]) -> None:
    for hand in hands:
        nodes.sh(hand.node, hand.shell)


def _wait(nodes: Site, listed: Sequence[Thing], wanted: set[Found]) -> set[Found]:
    deadline = time.monotonic() + LIMIT
    while (found := nodes.findings(listed)) != wanted:
        assert time.monotonic() < deadline, f"drift tells {sorted(found)}, which is not {sorted(wanted)}"
    return found


def _repair(nodes: Site, listed: Sequence[Thing], found: set[Found]) -> None:
    differing = {each.thing for each in found}
    for each in listed:
        if each.name in differing:
            nodes.apply(each.kind, each.name, each.inputs)
