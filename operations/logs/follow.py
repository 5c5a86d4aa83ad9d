"""Following a log on whichever node has it: the cursor says what to read, this reads it.

Each look is a short command of its own, so a switchover is never held up by an open file, and nothing stays on a node
when this ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from operations.logs import ask
from operations.logs.cursor import CHUNK, HEAD, MOST, Check, Cursor, File, Idle, Lost, before, begun, finished, ordered
from operations.mounted import NOT_MOUNTED
from operations.silence import heard
from providers.connection.answers import told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import (
    SILENT,
    HostError,
    SudoRefused,
    Unknown,
    all_silent,
    in_a_line,
    unheard,
)

PAUSE = 1.0
"""Seconds between looks while there is nothing new."""
ATTEMPTS = 3
"""Times that the last records are looked for, while files get other names in the middle of it."""


class Gone(Exception):
    """The log is not on this node any more."""


class Rotated(Exception):
    """A file is not any more what the list of files had under its name."""


@dataclass
class Source:
    """A log and where it may be: below ``mount_point`` on one of the nodes, or on ``only`` this node's own disk.

    ``choose`` decides where more than one node has it.
    """

    cluster: Cluster
    log: str
    mount_point: str = ""
    only: str = ""
    choose: Callable[[], Awaitable[str | None]] | None = None
    silent: dict[str, HostError] = field(default_factory=dict[str, HostError], init=False)
    """Nodes that told nothing when it was looked for last, and why."""
    there: list[str] = field(default_factory=list[str], init=False)
    """Nodes that had the mirror mounted then."""

    @property
    def nowhere(self) -> str:
        """Why no node was found that has it: a node that told nothing may be the one, or one of several."""
        if len(self.there) > 1:
            return f"the mirror is mounted on {' and '.join(self.there)}, and nobody tells which of them serves"
        if not self.silent:
            return "the mirror is mounted on no node"
        heard = " and ".join(name for name in self.cluster.nodes if name not in self.silent)
        why = " and ".join(_untold(name, error) for name, error in self.silent.items())
        return f"the mirror is not mounted on {heard}, and {why}"

    async def find(self) -> str | None:
        """The node that has it now; None while none has.

        Raises `Unreachable` where no node answers at all, `SudoRefused` where none lets anybody be root.
        """
        if self.only:
            return self.only

        async def look(node: Node) -> bool:
            return (await node.run(ask.mounted(self.mount_point))).stdout.strip() == "yes"

        found, self.silent = await heard(self.cluster, look)
        self.there = there = [name for name, mounted in found.items() if mounted]
        if len(self.silent) == len(self.cluster.nodes):
            # One that does not answer may come back, and goes before what only a person can mend.
            reasons = sorted(self.silent.values(), key=lambda error: isinstance(error, SudoRefused))
            raise all_silent([unheard(error) for error in reasons])
        if len(there) > 1 and self.choose is not None:
            return await self.choose()
        return there[0] if len(there) == 1 else None


def _untold(node: str, error: HostError) -> str:
    what = "could not be asked" if isinstance(error, SudoRefused) else "did not answer"
    return f"{node} {what}: {in_a_line(error.message)}"


@dataclass
class Follower:
    """``told`` gets a line for people about moves, waits and what was lost."""

    source: Source
    told: Callable[[str], None]
    cursor: Cursor = field(default_factory=Cursor)
    node: str = ""
    _waiting: str = ""
    _first: int | None = None
    """Records to begin with, once the log is somewhere."""

    @property
    def _name(self) -> str:
        return PurePosixPath(self.source.log).name

    def _path(self, file: File) -> str:
        return str(PurePosixPath(self.source.log).with_name(file.name))

    async def begin(self, lines: int) -> list[bytes]:
        """`last` for one who follows: an answer that is not whole is waited for, and `lines` begins with them."""
        try:
            return await self.last(lines)
        except Unknown as error:
            self._wait_for(error)
            return []

    async def last(self, lines: int) -> list[bytes]:
        """The last records of the log where it is now; following goes on behind them.

        None of them where it was found on no node (`Source.nowhere`). Compressed files are not gone back into.
        """
        self._first = lines
        node = await self.source.find()
        self.node = node or ""
        if node is None:
            return []
        try:
            self.cursor, shown = await self._last(lines)
        except Gone:
            self.node, self.cursor = "", Cursor()
            return []
        self._first = None
        return shown

    async def _last(self, lines: int) -> tuple[Cursor, list[bytes]]:
        for _ in range(ATTEMPTS):
            with contextlib.suppress(Rotated):
                return await self._back(lines)
        raise Unknown(
            f"the files of {self.source.log} were others each time that they were read",
            node=self.node,
            remedy="run it again; if it stays so, see what rotates them all the time",
        )

    async def _back(self, lines: int) -> tuple[Cursor, list[bytes]]:
        """A cursor at the end of the newest file, and the last records of it and of those before it."""
        files = ordered(await self._list(), self._name)
        cursor, shown = Cursor(), list[bytes]()
        for file in reversed([file for file in files if file.size > 0]):
            region = await self._end_of(file, lines - len(shown))
            if cursor.inode:
                shown = [*finished(file, region, lines - len(shown)), *shown]
            else:
                cursor, shown = begun(file, await self._exactly(file, 0, min(HEAD, file.size)), region, lines)
            if len(shown) >= lines:
                break
        if not cursor.inode:
            cursor = before(next((file for file in files if file.name == self._name), None))
        return cursor, shown

    async def _end_of(self, file: File, lines: int) -> bytes:
        """The end of a file, as far back as its last records reach and little more."""
        pieces: list[bytes] = []
        start, ends = file.size, 0
        # One more than records are wanted: what is before the first may be the end of another.
        while start and ends <= lines:
            count = min(CHUNK, start)
            start -= count
            pieces.append(await self._exactly(file, start, count))
            ends += pieces[-1].count(b"\n")
        return b"".join(reversed(pieces))

    async def _exactly(self, file: File, offset: int, count: int) -> bytes:
        data = await self._read(file, offset, count)
        if data is None or len(data) < count:
            raise Rotated
        return data

    async def lines(self) -> AsyncGenerator[list[bytes], None]:
        """Records as they come, for ever. What breaks is waited for and said.

        An error is only a wrong node, and that nobody can become root where the log is or may be.
        """
        while True:
            try:
                if not self.node:
                    await self._attach()
                if self.node and self._first is not None:
                    found = await self.last(self._first)
                    busy = bool(found)
                else:
                    found, busy = await self._look() if self.node else ([], False)
            except Gone:
                self._wait(f"{self.node} has the log no more; waiting for where it comes up")
                self.node, found, busy = "", [], False
            except (*SILENT, Unknown) as error:
                if isinstance(error, SudoRefused) and (self.source.only or not self.node):
                    raise
                self._wait_for(error)
                found, busy = [], False
            if found:
                yield found
            if not busy:
                await asyncio.sleep(PAUSE)

    def _wait_for(self, error: HostError) -> None:
        reasons = [error] if self.node else [*self.source.silent.values()] or [error]
        self._wait(f"waiting: {' and '.join(str(each).splitlines()[0] for each in reasons)}")
        self.node = ""

    def _wait(self, text: str) -> None:
        if text != self._waiting:
            self._waiting = text
            self.told(text)

    async def _attach(self) -> None:
        """Find the log, and see that it still has what was shown of it."""
        node = await self.source.find()
        if node is None:
            self._wait(f"{self.source.nowhere}; waiting")
            return
        self.node, self._waiting = node, ""
        self.told(f"following on {node}")
        own = self.cursor.own(await self._list()) if self.cursor.inode else None
        if own is not None and not own.compressed:
            await self._check(own)

    async def _look(self) -> tuple[list[bytes], bool]:
        self.cursor, step = self.cursor.next(await self._list(), self._name)
        if isinstance(step, Idle):
            return [], False
        if isinstance(step, Check):
            await self._check(step.file)
            return [], True
        read = step.read if isinstance(step, Lost) else step
        # A compressed file is unpacked from its beginning each time: it is read in pieces that grow.
        count = min(max(CHUNK, read.offset), MOST) if read.file.compressed else CHUNK
        data = await self._read(read.file, read.offset, count)
        if data is None:
            # That tells nothing of its end: the next listing has it under its other name.
            return [], False
        before = self.cursor
        self.cursor, found = before.took(read, data)
        moved = self.cursor is not before
        if isinstance(step, Lost) and moved:
            self.told(
                "the file that was being followed is gone; going on with the newest, what was between is not shown"
            )
        # Less than was asked for is the end: what comes after it has a second to gather. A compressed file is final.
        return found, moved and (len(data) >= count or read.file.compressed)

    async def _check(self, own: File) -> None:
        count = len(self.cursor.tail)
        for _ in range(ATTEMPTS):
            there = await self._read(own, self.cursor.offset - count, count)
            if there is not None:
                self._judge(own, there)
                return
            # It was rotated between the listing and the reading, and is there under another name.
            renamed = self.cursor.own(await self._list())
            if renamed is None or renamed.compressed:
                return
            own = renamed

    def _judge(self, own: File, there: bytes) -> None:
        self.cursor, lost = self.cursor.checked(there)
        if lost:
            self.told(f"{lost} bytes that were shown are not in the log any more: they did not survive the failover")
        if own.size < self.cursor.offset:
            self.cursor = self.cursor.cut(own.size)

    async def _list(self) -> list[File]:
        source, cursor = self.source, self.cursor
        asking = ask.listing(source.log, source.mount_point, len(cursor.head), cursor.inode, cursor.digest)
        result = await source.cluster.node(self.node).run(asking)
        if result.exit_code == NOT_MOUNTED:
            raise Gone
        with told_by(self.node):
            return ask.parse_listing(result.stdout)

    async def _read(self, file: File, offset: int, count: int) -> bytes | None:
        """None where the file has got another name since it was listed."""
        if not count:
            return b""
        asking = ask.reading(self._path(file), file.inode, offset, count)
        result = await self.source.cluster.node(self.node).run(asking)
        with told_by(self.node):
            return None if result.exit_code == ask.CHANGED else ask.parse_reading(result.stdout)


async def follow(follower: Follower, show: Callable[[list[bytes], str], None]) -> None:
    """Show records until cancelled."""
    async with contextlib.aclosing(follower.lines()) as lines:
        async for found in lines:
            show(found, follower.node)
