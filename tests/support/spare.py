"""Tests that `make test` runs as long as it has time: in an order drawn anew, none begun after a given minute.

Of those marked ``turns`` it runs one of each kind, drawn anew too, because all of them take hours.

`make test` has a time that it promises to end in, on slow machines too; what does not fit in comes another time, and
each run says what it left out. `make test-all`, and a run without ``--spare``, leave out nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

MARK = "spare"


def unit(item: pytest.Item) -> str | None:
    """What is begun or left out as one: the file where that is marked, the test where only it is; None for others."""
    module = item.getparent(pytest.Module)
    if module is not None and any(mark.name == MARK for mark in module.own_markers):
        return module.nodeid
    return item.nodeid.partition("[")[0] if item.get_closest_marker(MARK) else None


def arranged(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """Those that always run, as they come, then the others in an order that the seed draws; each kept together."""
    always = [item for item in items if unit(item) is None]
    units = sorted({name for item in items if (name := unit(item)) is not None})
    random.Random(seed).shuffle(units)
    place = {name: index for index, name in enumerate(units)}
    return always + sorted((item for item in items if unit(item) is not None), key=lambda item: place[unit(item) or ""])


def waiting(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """Those marked ``turns`` whose turn it is not: of each kind the seed draws one that runs."""
    kinds: dict[str, list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker("turns"):
            kinds.setdefault(mark.args[0], []).append(item)
    draw = random.Random(seed)
    drawn = [draw.choice(kind) for kind in kinds.values()]
    return [item for kind in kinds.values() for item in kind if item not in drawn]


class Time:
    """How long tests may still be begun; ``minutes`` from now on, None for as long as it takes."""

    def __init__(self, minutes: float | None) -> None:
        self._ends = None if minutes is None else time.monotonic() + 60 * minutes
        self._begun: set[str] = set()

    def lets(self, name: str) -> bool:
        """Whether this one may begin, or has begun already."""
        if self._ends is None or time.monotonic() < self._ends:
            self._begun.add(name)
        return name in self._begun
