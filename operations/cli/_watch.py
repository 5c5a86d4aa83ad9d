"""What `squid-ha status --watch` shows, where it prints to: a screen drawn in place, blocks, or lines of JSON."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Protocol

from operations.cli._console import out

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rich.console import RenderableType
    from rich.live import Live

    from operations.overview import Overview
    from operations.status import Status

    Found = tuple[Status | None, Overview]

SLOW = 3.0
"""Seconds after which a reading is told to be under way."""
TICK = 1.0


class Shown(Protocol):
    """Where readings are shown."""

    def reading(self) -> AbstractContextManager[None]:
        """While all sites are read once more."""
        ...

    def told(self, found: Found) -> None:
        """One site's reading, as soon as it is there; called in the loop's thread."""
        ...

    def all_told(self, found: list[Found]) -> None:
        """Those of all sites."""
        ...


class Printed:
    """Each reading after the last one, by ``show``."""

    def __init__(self, show: Callable[[list[Found]], None]) -> None:
        self._show = show

    def reading(self) -> AbstractContextManager[None]:
        """Nothing is printed before all have been read."""
        return contextlib.nullcontext()

    def told(self, found: Found) -> None:
        """Nothing either."""

    def all_told(self, found: list[Found]) -> None:
        """Those of all sites."""
        self._show(found)


class Screen:
    """A terminal's own screen: of each site the last reading with its time, and above them which ones are read now.

    ``stacks``: the sites, in their order.
    """

    def __init__(self, live: Live, stacks: list[str]) -> None:
        self._live = live
        self._stacks = stacks
        self._found: Mapping[str, Found] = {}
        self._left: list[str] = []
        self._began = 0.0
        self._news = threading.Event()

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """While all sites are read once more; how long that takes shows, even where nothing comes of it."""
        self._left, self._began = list(self._stacks), time.monotonic()
        over = threading.Event()
        ticking = threading.Thread(target=self._tick, args=[over], daemon=True)
        ticking.start()
        try:
            yield
        finally:
            over.set()
            self._news.set()
            ticking.join()

    def told(self, found: Found) -> None:
        """One site's reading: a site that is slow hides no other."""
        stack = found[1].stack
        self._found = {**self._found, stack: found}
        self._left = [each for each in self._left if each != stack]
        # Drawn by another thread: a terminal that is gone must not end the loop of all connections.
        self._news.set()

    def all_told(self, found: list[Found]) -> None:
        """Those of all sites."""
        self._found = {each.stack: (status, each) for status, each in found}
        self._left = []
        self._draw()

    def _tick(self, over: threading.Event) -> None:
        while True:
            news = self._news.wait(TICK)
            self._news.clear()
            if over.is_set():
                return
            if news or self._seconds() >= SLOW:
                self._draw()

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _draw(self) -> None:
        self._live.update(self._rendered(), refresh=True)

    def _rendered(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from operations.overview import render

        known, left = self._found, self._left
        sites = render([known[stack] for stack in self._stacks if stack in known], timed=True)
        if not left or self._seconds() < SLOW:
            return sites
        return Group(Text(f"Reading {', '.join(left)} ({self._seconds():.0f} s)", style="yellow"), Text(), sites)


@contextlib.contextmanager
def screen(stacks: list[str]) -> Generator[Shown]:
    """In place on a terminal; elsewhere a block after the other, each site's with the time of its reading."""
    from rich.live import Live

    from operations.overview import render

    if not out.is_terminal:
        yield Printed(lambda found: out.print(render(found, timed=True)))
        return
    with Live(console=out, auto_refresh=False, screen=True) as live:
        yield Screen(live, stacks)
