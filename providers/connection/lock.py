"""One writer per cluster: a lock on every node, held by an SSH session that stays.

Who holds the lock has a session on the node whose script holds flock(1) on ``/run/squid-ha/<site>.lock`` and waits
on its standard input. It ends, and the lock with it, when the process that holds it ends (also by SIGKILL), when the
connection closes, or when no heartbeat came for a minute (the holder's machine vanished). The file is in /run and
never deleted: a lock file that is deleted can be held twice, and what is in /run is gone with the next boot anyway.

Locks are taken in the order of the nodes' names; who finds one taken gives back those he has and begins again, so
that two who wait cannot wait for each other. A node that reboots during the run loses its lock, and so does one whose
connection breaks: no command that writes goes to a node before its own lock is taken again. While it is away, the locks
on the others keep those out who need all; what is done about a lost node needs no more than can be reached. The file
tells whether somebody else has had a lock meanwhile, on whichever node: what was seen before is then worth nothing, and
this run writes no more. Who has given a lock back unused leaves in the file what he found there.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import getpass
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from providers.connection.errors import HostError, Locked, SudoRefused, Unreachable, all_silent, in_a_line
from providers.connection.ssh import SshNode
from providers.connection.translate import in_words

if TYPE_CHECKING:
    import asyncssh

DIRECTORY = "/run/squid-ha"
HEARTBEAT = 10.0
RETRY_AFTER = 2.0
ANSWER_WITHIN = 30.0

# $1 directory, $2 lock file, $3 who, $4 seconds without a heartbeat after which the lock is given up. On standard input
# a dot is a heartbeat, and a dash says that the lock was never used.
_SCRIPT = r"""
umask 077
mkdir -p "$1" && exec 9>>"$2" || exit 1
if ! flock -n 9; then printf 'taken %s\n' "$(head -n 1 "$2")"; exit 0; fi
before=$(head -n 1 "$2")
printf '%s\n' "$3" >"$2"
printf 'held %s\n' "$before"
while said=$(timeout "$4" head -c 1 9>&-); [ "$said" = . ]; do :; done
[ "$said" != - ] || printf '%s\n' "$before" >"$2"
"""


def who_am_i() -> str:
    """Who holds a lock, for the one who waits for it."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{_user()}@{socket.gethostname()}, process {os.getpid()}, since {since}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A number that stands in no passwd, as containers of pipelines have it.
        return str(os.getuid())


class NodeLock:
    """The lock on one node; ``held`` turns False by itself when the session ends.

    ``successor`` is who had it between the last two times that it was taken here; '' if nobody is known to have.
    """

    def __init__(self, node: SshNode, site: str, *, directory: str = DIRECTORY, silence: float = 60.0) -> None:
        self.node = node
        self._argv = ["sh", "-c", _SCRIPT, "sh", directory, f"{directory}/{site}.lock"]
        self._silence = silence
        self._process: asyncssh.SSHClientProcess[bytes] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._who = ""
        self._own: set[str] = set()
        self.successor = ""

    @property
    def held(self) -> bool:
        """Whether the session that holds the lock is alive as far as is known."""
        process = self._process
        return (
            process is not None
            and process.exit_status is None
            and not process.is_closing()
            and self.node.carries(process)
        )

    def is_own(self, holder: str) -> bool:
        """Whether that is this run itself, by a session that the node does not know to be lost."""
        return holder in self._own

    async def take(self) -> str:
        """Try once. '' when held, else who holds it. Raises `Unreachable`, `HostError` where there can be no lock."""
        who = who_am_i()
        process = await self.node.start([*self._argv, who, f"{self._silence:g}"])
        held = False
        try:
            held, other = await self._answer(process)
        finally:
            if not held:
                process.close()
        if not held:
            return other or "somebody who has not said"
        self.successor = other if self._own and other not in self._own else ""
        self._who = who
        self._own.add(who)
        self._process = process
        self._beat = asyncio.get_running_loop().create_task(self._heartbeats(process))
        return ""

    async def _answer(self, process: asyncssh.SSHClientProcess[bytes]) -> tuple[bool, str]:
        """Whether it is held now, and who had it before; or who has it."""
        import asyncssh  # noqa: PLC0415 - connected, so it is loaded

        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = (await process.stdout.readline()).decode(errors="replace")
            stderr = b"" if answer else await process.stderr.read()
        except (OSError, asyncssh.Error) as error:
            raise Unreachable(
                f"the cluster's lock cannot be taken: {in_words(error)}",
                node=self.node.name,
                remedy="see whether the node hangs, then run this again",
            ) from error
        verdict, _, who = answer.partition(" ")
        if verdict not in ("held", "taken"):
            text = stderr.decode(errors="replace").strip() or "the session ended"
            raise HostError(f"the cluster's lock cannot be taken: {text}", node=self.node.name)
        return verdict == "held", who.strip()

    async def release(self, *, unused: bool = False) -> None:
        """Give it back; silently nothing if it is not held. ``unused``: without ever having been its holder."""
        process, self._process = self._process, None
        if unused:
            self._own.discard(self._who)
        else:
            # Who has it from here on, before it is taken the next time, overtakes nobody.
            self._own.clear()
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        if process is not None:
            with contextlib.suppress(OSError):
                if unused:
                    process.stdin.write(b"-")
                process.stdin.write_eof()
                async with asyncio.timeout(2):
                    await process.wait_closed()

    async def _heartbeats(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        with contextlib.suppress(OSError):
            while not process.is_closing():
                process.stdin.write(b".")
                await asyncio.sleep(min(HEARTBEAT, self._silence / 3))


class ClusterLock:
    """The locks of all nodes together; `hold` is what a writer calls before every change.

    From then on no node runs a command that writes while its lock is not held.
    """

    def __init__(self, locks: Sequence[NodeLock], progress: Callable[[str], None], *, limit: float = 60.0) -> None:
        self._locks = sorted(locks, key=lambda lock: lock.node.name)
        self._progress = progress
        self._limit = limit
        self._taking = asyncio.Lock()
        self._holding = False
        self._overtaken: tuple[str, str] | None = None
        self._told: set[str] = set()
        for lock in self._locks:
            lock.node.before_writing = functools.partial(self._keep, lock)

    async def hold(self, *, without_lost: bool = False) -> None:
        """Have the lock on every node, waiting up to the limit. Raises `Locked`, `Unreachable`, `SudoRefused`.

        A node that cannot be reached is tolerated while the lock is held on another one: it was lost during this run,
        nobody else can have all of them, and it is not written to without its own. ``without_lost``: it is left out
        from the beginning, so that what is done about a lost node is done by one at a time; it raises `Unreachable`
        only where no node can be reached. So is one where nobody may become root: nobody with this login can lock it,
        nor change anything there.
        """
        async with self._taking:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + self._limit
            told = False
            while (holder := await self._attempt(without_lost=without_lost)) is not None:
                if loop.time() >= deadline:
                    raise Locked(
                        f"another run is changing this cluster: {holder[1]}",
                        node=holder[0],
                        remedy="wait until it has ended; if that process is gone, its lock goes within a minute",
                    )
                if not told:
                    mine = any(lock.is_own(holder[1]) for lock in self._locks)
                    whom = "this run's own lost session to end" if mine else f"another run on this cluster: {holder[1]}"
                    self._progress(f"waiting for {whom}")
                    told = True
                await asyncio.sleep(RETRY_AFTER)
            self._holding = True

    async def release(self) -> None:
        """Give all of them back."""
        self._holding, self._overtaken = False, None
        await asyncio.gather(*(lock.release() for lock in self._locks))

    async def _keep(self, lock: NodeLock) -> None:
        """Before its node is written to: the others' locks keep nobody out who reaches only this node.

        Raises `Locked`, `Unreachable`.
        """
        if not self._holding:
            return
        self._refuse_overtaken()
        if lock.held:
            return
        await self.hold(without_lost=True)
        if not lock.held:
            gone = Unreachable(
                "its lock was lost with the connection and could not be taken again, so nothing was written here",
                node=lock.node.name,
                remedy="run this again when it can be reached",
            )
            raise gone.having(answered=True)

    def _refuse_overtaken(self) -> None:
        if self._overtaken is not None:
            node, who = self._overtaken
            raise Locked(
                f"the connection that kept this cluster locked broke, and another run has had the lock since: {who}",
                node=node,
                remedy="let that run end, then run this again",
            )

    async def _attempt(self, *, without_lost: bool) -> tuple[str, str] | None:
        """None when held everywhere it can be, else (node, holder); then nothing that was taken here is kept.

        All are tried: that one node cannot be reached does not hide who holds the lock on the other. They are connected
        to at once, and locked in their order.
        """
        self._refuse_overtaken()
        survivors = any(lock.held for lock in self._locks)
        taken: list[NodeLock] = []
        lost: dict[str, Unreachable | SudoRefused] = {}
        for lock in self._locks:
            if not lock.held:
                lock.node.connect()
        async with contextlib.AsyncExitStack() as giving_back:
            for lock in self._locks:
                if lock.held:
                    continue
                try:
                    holder = await lock.take()
                except (Unreachable, SudoRefused) as error:
                    if isinstance(error, SudoRefused) and not without_lost:
                        raise
                    lost[lock.node.name] = error
                    continue
                if holder:
                    return lock.node.name, holder
                giving_back.push_async_callback(lock.release, unused=True)
                taken.append(lock)
                if self._holding and lock.successor:
                    self._overtaken = lock.node.name, lock.successor
                    self._refuse_overtaken()
            if lost and not (survivors or (without_lost and taken)):
                # A refusal says more than silence does.
                raise all_silent(sorted(lost.values(), key=lambda error: isinstance(error, Unreachable)))
            giving_back.pop_all()
        self._tell_rootless(lost)
        return None

    def _tell_rootless(self, lost: Mapping[str, HostError]) -> None:
        for name, error in lost.items():
            if isinstance(error, SudoRefused) and name not in self._told:
                self._told.add(name)
                self._progress(f"{name} is not locked, as if it were off: {in_a_line(error, name)}")
