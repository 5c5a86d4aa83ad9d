"""A node over SSH: one connection that is kept and shared, at most eight commands on it at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from providers.connection.access import ConnectionSettings
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, HostError, Refused, TimedOut, Unreachable
from providers.connection.sessions import ShellRefused
from providers.connection.shell import Answer, Request
from providers.connection.tap import Tap, load_tap
from providers.connection.translate import in_words
from providers.connection.transport import Link, open_link

if TYPE_CHECKING:
    import asyncssh

log = logging.getLogger("squid_ha.ssh")
"""Every command with its exit code and duration at level DEBUG; standard input never."""

SESSIONS = 8
"""sshd's MaxSessions is 10: eight for commands, one for the lock, one to spare."""
GRACE = 15.0
"""Seconds beyond a command's own timeout after which its answer is no longer waited for."""

SILENT_FOR = 15.0
"""Seconds for which what only reads is told at once that a node gave no answer, while the next attempt is under way."""

tap: Tap = load_tap()


class SshNode:
    """One node; connects at its first command, and again at the next one after the connection broke.

    A command that was under way when the connection broke raises `Unreachable`: whether it took effect is not known.
    Commands that only read are sent once more instead.

    A node that gave no answer is not waited for by every reading: for a while (`SILENT_FOR`) they raise what was found,
    and each sees to it that an attempt is under way, so that the node is back as soon as one succeeds. What writes
    waits for that attempt.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.before_writing: Callable[[], Awaitable[None]] | None = None
        """Called before each command that writes; set by who keeps other writers out (`providers.connection.lock`)."""
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._was_gone = False
        self._silent: Unreachable | None = None
        self._silent_until = 0.0

    @property
    def name(self) -> str:
        """The node's name in the declaration."""
        return self.settings.name

    async def run(self, command: Command) -> Result:
        """Run one command as root; see `providers.connection.cluster.Node`."""
        if command.writes:
            tap.before(self.name, command)
        started = time.monotonic()
        (answer,) = await self._exec([command], writes=command.writes)
        result = _result(command, answer, time.monotonic() - started)
        if command.writes:
            tap.after(self.name, command)
        if result.timed_out:
            raise self._timed_out(command)
        return self._judged(result)

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        """Run commands that only read in one round trip; see `providers.connection.cluster.Node`."""
        if not commands:
            return []
        started = time.monotonic()
        answers = await self._exec(commands, writes=False)
        seconds = time.monotonic() - started
        results = [_result(command, answer, seconds) for command, answer in zip(commands, answers, strict=True)]
        for result in results:
            if result.timed_out and result.command.ok is None:
                # Whatever it printed is no answer, though all exit codes are taken.
                raise self._timed_out(result.command)
        return [self._judged(result) for result in results]

    def connect(self) -> None:
        """Begin to connect where there is no connection yet: for several nodes at once, whichever is needed first.

        Who needs it waits for it, and is told where it fails.
        """
        if self._usable() is None:
            self._attempt()

    async def start(self, argv: list[str]) -> asyncssh.SSHClientProcess[bytes]:
        """A process as root that stays, with its standard streams; for the lock. Raises `Unreachable`."""
        link = await self._connected()
        with self._broken(link, "a session that stays", writes=False):
            process: Any = await self._process(link, argv)
            if link.root.preamble:
                process.stdin.write(link.root.preamble)
            return process

    async def _process(self, link: Link, argv: list[str]) -> Any:  # noqa: ANN401 asyncssh's own type says no more
        import asyncssh  # noqa: PLC0415 - connected, so it is loaded

        try:
            return await link.connection.create_process(link.root.line(argv), encoding=None)
        except asyncssh.ChannelOpenError as error:
            # The connection itself is well, and others work over it.
            raise Refused(
                f"sshd opens no further session on the connection: {error}",
                node=self.name,
                remedy="raise MaxSessions in its sshd_config (sshd's own default is 10)",
            ) from error

    def carries(self, process: asyncssh.SSHClientProcess[bytes]) -> bool:
        """Whether a session that `start` gave runs over the connection that commands take now."""
        return self._link is not None and process.get_extra_info("connection") is self._link.connection

    async def close(self) -> None:
        """Close the connection; the next command opens another.

        One that is being opened is given up, and with it whoever waits for it.
        """
        if self._opening is not None:
            self._opening.cancel()
            # When it has ended, and `_opened` has taken note: it may have been open already.
            await asyncio.wait([self._opening])
        link, self._link, self._silent = self._link, None, None
        if link is not None:
            await link.close()

    async def _exec(self, commands: Sequence[Command], *, writes: bool) -> list[Answer]:
        """What they gave back; what only reads, or has not begun, is tried a second time over a new connection."""
        refused: ShellRefused | None = None
        async with self._sessions:
            for last in (writes, True):
                link = await self._connected(waits=writes)
                if writes and self.before_writing is not None:
                    await self.before_writing()
                try:
                    return await self._exec_once(link, commands, writes=writes)
                except ShellRefused as error:
                    # Its shells are lost and it gives no other: sessions that hang may fill sshd's MaxSessions.
                    refused = error
                    self._drop(link)
                except Unreachable:
                    if last:
                        raise
        gone = Unreachable(f"it gives no shell any more: {refused}", node=self.name)
        raise gone.having(answered=True) from refused

    async def _exec_once(self, link: Link, commands: Sequence[Command], *, writes: bool) -> list[Answer]:
        started = time.monotonic()
        doing = "; ".join(map(str, commands))
        requests = [Request(each.limited(), each.stdin or b"") for each in commands]
        limit = sum(each.timeout for each in commands) + GRACE
        with self._broken(link, doing, writes=writes):
            async with link.sessions.one() as shell:
                try:
                    async with asyncio.timeout(limit):
                        answers = await shell.run(*requests)
                except TimeoutError as error:
                    raise self._timed_out(commands[-1]) from error
        codes = ", ".join(str(answer.exit_code) for answer in answers)
        log.debug("%s: %s (exit code %s, %.3f s)", self.name, doing, codes, time.monotonic() - started)
        return answers

    def _judged(self, result: Result) -> Result:
        if result.ok:
            return result
        if result.timed_out:
            raise self._timed_out(result.command)
        raise CommandFailed(self.name, str(result.command), result.exit_code, result.stderr)

    @contextlib.contextmanager
    def _broken(self, link: Link, doing: str, *, writes: bool) -> Generator[None]:
        """Whatever the library or the network raises here means that the connection is of no more use."""
        import asyncssh  # noqa: PLC0415 - connected, so it is loaded

        try:
            yield
        except (OSError, asyncssh.Error) as error:
            self._drop(link)
            effect = "; whether it took effect is not known, run again" if writes else ""
            broken = Unreachable(f"the connection broke during `{doing}`: {in_words(error)}{effect}", node=self.name)
            raise broken.having(answered=True) from error

    def _drop(self, link: Link) -> None:
        link.abort()
        # Another command may have found it broken before, and have opened a new one.
        if self._link is link:
            self._link = None

    async def _connected(self, *, waits: bool = True) -> Link:
        """The connection. Who need not wait for a node that just gave no answer is told so at once."""
        link = self._usable()
        if link is not None:
            return link
        attempt = self._attempt()
        if not waits and self._silent is not None and asyncio.get_running_loop().time() < self._silent_until:
            raise self._silent.with_traceback(None)
        return await asyncio.shield(attempt)

    def _usable(self) -> Link | None:
        if self._link is not None and self._link.broken:
            self._drop(self._link)
        return self._link

    def _attempt(self) -> asyncio.Task[Link]:
        """The one that is under way, or another: all who wait share one attempt and its outcome."""
        if self._opening is None:
            # One that was just found gone gets a single try, so that twenty things on a node that is off do not wait
            # for it twenty times.
            budget = 0.0 if self._was_gone else self.settings.connect_budget
            self._opening = asyncio.get_running_loop().create_task(open_link(self.settings, budget=budget))
            self._opening.add_done_callback(self._opened)
        return self._opening

    def _opened(self, task: asyncio.Task[Link]) -> None:
        self._opening = None
        if task.cancelled():
            return
        error = task.exception()
        self._was_gone = isinstance(error, HostError)
        # What answers, be it by refusing, does so at once.
        self._silent = error if isinstance(error, Unreachable) and error.answered is False else None
        self._silent_until = asyncio.get_running_loop().time() + SILENT_FOR
        if error is None:
            self._link = task.result()
            log.debug("%s: connected to %s port %d", self.name, self.settings.address, self.settings.port)

    def _timed_out(self, command: Command) -> TimedOut:
        return TimedOut(f"`{command}` did not finish within {command.timeout:g} s", node=self.name)


def _result(command: Command, answer: Answer, seconds: float) -> Result:
    out, err = (text.decode(errors="replace") for text in (answer.stdout, answer.stderr))
    return Result(command, answer.exit_code, out, err, seconds)
