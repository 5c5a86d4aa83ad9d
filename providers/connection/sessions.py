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
        self._idle: asyncio.LifoQueue[Shell] = asyncio.LifoQueue()
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
            self._open -= 1
            shell.close()
            raise
        self._idle.put_nowait(shell)

    async def _take(self) -> Shell:
        if not self._idle.empty():
            return self._idle.get_nowait()
        if self._open:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._idle.get(), PATIENCE)
        self._open += 1
        try:
            return await self._opening()
        except BaseException as error:
            self._open -= 1
            if isinstance(error, ShellRefused) and self._open:
                return await self._idle.get()
            raise
