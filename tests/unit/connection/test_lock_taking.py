"""A lock whose taking goes wrong: what is told, and that nothing of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest

from providers.connection import ssh
from providers.connection.access import ConnectionSettings
from providers.connection.errors import HostError, Locked, SudoRefused, Unreachable
from providers.connection.lock import ClusterLock, NodeLock
from providers.connection.ssh import SshNode


@dataclass
class Stream:
    """Gives these lines, or raises what stands in the place of one."""

    lines: list[bytes | Exception]
    written: list[bytes] = field(default_factory=list[bytes])

    async def readline(self) -> bytes:
        if not self.lines:
            await asyncio.Event().wait()
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    read = readline

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def write_eof(self) -> None:
        self.written.append(b"end")


class Process:
    """A session of the lock's script that says ``answer``."""

    exit_status = None

    def __init__(self, *answer: bytes | Exception) -> None:
        self.stdin, self.stdout, self.stderr = Stream([]), Stream(list(answer)), Stream([b"no space left"])
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    async def wait_closed(self) -> None:
        self.closed = True


class Node:
    """A node whose sessions are these, one after the other."""

    before_writing = None

    def __init__(self, name: str, *processes: Process) -> None:
        self.name = name
        self.processes = list(processes)
        self.opened: list[Process] = []
        self.asked = asyncio.Event()

    def connect(self) -> None:
        """It is connected."""

    async def start(self, argv: list[str]) -> Process:
        self.opened.append(self.processes.pop(0))
        self.asked.set()
        return self.opened[-1]

    def carries(self, process: Process) -> bool:
        return process in self.opened


class Silent(Node):
    """A node on which no session begins."""

    def __init__(self, name: str, why: type[HostError]) -> None:
        super().__init__(name)
        self.why = why("user ops may not become root by sudo", node=name, remedy="give it sudo")

    async def start(self, argv: list[str]) -> Process:
        raise self.why


def lock_of(*nodes: Any, progress: Callable[[str], None] = print) -> ClusterLock:
    return ClusterLock([NodeLock(node, "lab") for node in nodes], progress, limit=0.0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncssh.ConnectionLost("gone"), "gone"),
        (ConnectionResetError("gone"), "gone"),
        (ConnectionResetError(), "ConnectionResetError"),
        (TimeoutError(), "no answer in time"),
    ],
    ids=repr,
)
async def test_a_connection_that_breaks_in_the_taking_is_told_as_unreachable(error: Exception, said: str) -> None:
    first, second = Node("qsp-a", Process(b"held \n")), Node("qsp-b", Process(error))
    with pytest.raises(Unreachable, match=f"(?s)^qsp-b: the cluster's lock cannot be taken: {said}\n.*run this again"):
        await lock_of(first, second).hold()
    assert [first.opened[0].closed, second.opened[0].closed] == [True, True]


@pytest.mark.parametrize("answer", [b"", b"what\n"])
async def test_a_node_that_gives_no_lock_leaves_none_on_the_other(answer: bytes) -> None:
    first, second = Node("qsp-a", Process(b"held \n")), Node("qsp-b", Process(answer))
    lock = lock_of(first, second)
    with pytest.raises(HostError, match="qsp-b: the cluster's lock cannot be taken"):
        await lock.hold()
    assert [first.opened[0].closed, second.opened[0].closed] == [True, True]
    first.processes, second.processes = [Process(b"held \n")], [Process(b"held \n")]
    await lock.hold()
    await lock.release()


async def test_a_taking_that_is_called_off_keeps_nothing() -> None:
    first, second = Node("qsp-a", Process(b"held \n")), Node("qsp-b", Process())
    taking = asyncio.create_task(lock_of(first, second).hold())
    await second.asked.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert [first.opened[0].closed, second.opened[0].closed] == [True, True]


async def test_the_nodes_are_connected_to_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost node's attempt lasts long: the others' are not kept waiting for its end."""
    begun: list[str] = []
    both = asyncio.Event()

    async def open_link(settings: ConnectionSettings, *, budget: float) -> None:
        begun.append(settings.name)
        if len(begun) == len("ab"):
            both.set()
        await both.wait()
        raise Unreachable("no SSH connection", node=settings.name)

    monkeypatch.setattr(ssh, "open_link", open_link)
    nodes = [SshNode(ConnectionSettings(name, "192.0.2.11")) for name in ("qsp-b", "qsp-a")]
    async with asyncio.timeout(5):
        with pytest.raises(Unreachable, match=r"(?s)^qsp-a: no SSH connection.*qsp-b: no SSH connection"):
            await lock_of(*nodes).hold()
    assert begun[:2] == ["qsp-a", "qsp-b"]


@pytest.mark.parametrize("broken", ["qsp-a", "qsp-b"])
async def test_a_node_without_root_is_left_out_like_a_lost_one_and_told_of_once(broken: str) -> None:
    other = Node({"qsp-a": "qsp-b", "qsp-b": "qsp-a"}[broken], Process(b"held \n"), Process(b"held \n"))
    told: list[str] = []
    lock = lock_of(Silent(broken, SudoRefused), other, progress=told.append)
    for _ in range(2):
        await lock.hold(without_lost=True)
    assert told == [f"{broken} is not locked, as if it were off: user ops may not become root by sudo → give it sudo"]
    assert len(other.opened) == 1
    with pytest.raises(SudoRefused):
        await lock.hold()
    await lock.release()
    with pytest.raises(SudoRefused):
        await lock.hold()
    assert all(process.closed for process in other.opened)


async def test_a_node_without_root_does_not_hide_who_holds_the_other() -> None:
    lock = lock_of(Silent("qsp-a", SudoRefused), Node("qsp-b", Process(b"taken ann@desk, process 7\n")))
    with pytest.raises(Locked, match="qsp-b: another run is changing this cluster: ann@desk"):
        await lock.hold(without_lost=True)


@pytest.mark.parametrize("whys", [(SudoRefused, Unreachable), (Unreachable, SudoRefused), (SudoRefused, SudoRefused)])
async def test_where_no_node_can_be_locked_a_refusal_is_told_before_silence(whys: tuple[type[HostError], ...]) -> None:
    with pytest.raises(SudoRefused) as error:
        await lock_of(Silent("qsp-a", whys[0]), Silent("qsp-b", whys[1])).hold(without_lost=True)
    assert all(f"{node}: " in str(error.value) for node in ("qsp-a", "qsp-b")), "each node's reason is told"
