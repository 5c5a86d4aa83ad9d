"""The root shells of one connection: opened as needed, kept, handed to one caller at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from providers.connection.shell import Shell

PATIENCE = 0.25
"""Seconds that a caller waits for a busy shell before another is opened, which takes longer than most commands."""


class ShellRefused(Exception):
    """The node gives no shell on this connection; the text is its last word."""


class Sessions:
    """``first`` was opened with the connection; ``opening`` opens another. It raises `ShellRefused`."""

    def __init__(self, first: Shell, opening: Callable[[], Awaitable[Shell]]) -> None:
        self._opening = opening
        # None: a shell less; whoever waits for one looks anew, and finds out whether the node gives another.
        self._idle: asyncio.LifoQueue[Shell | None] = asyncio.LifoQueue()
        self._idle.put_nowait(first)
        self._open = 1

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncGenerator[Shell]:
        """A shell for this caller alone; kept afterwards unless what was done with it failed."""
        shell = await self._take()
        try:
            yield shell
        except BaseException:
            # Its command may still run, and its answer would be taken for the next one's.
            shell.close()
            self._lost()
            raise
        self._idle.put_nowait(shell)

    async def _take(self) -> Shell:
        while True:
            if self._open:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        kept = await self._idle.get()
                    if kept is not None:
                        return kept
                    continue
            self._open += 1
            try:
                return await self._opening()
            except ShellRefused:
                if self._open == 1:
                    self._lost()
                    raise
                self._open -= 1
            except BaseException:
                self._lost()
                raise
            # The node gives no more at a time: one of the others comes free, or is lost, and then there is room.
            if (kept := await self._idle.get()) is not None:
                return kept

    def _lost(self) -> None:
        self._open -= 1
        self._idle.put_nowait(None)
