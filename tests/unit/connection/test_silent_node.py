"""A node that gave no answer: what reads is told so at once, what writes waits, and its return is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.actions import refuse_peer
from providers.connection import ssh
from providers.connection.access import ConnectionSettings
from providers.connection.command import command
from providers.connection.errors import LoginRefused, Refused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.sessions import Sessions
from providers.connection.shell import Answer, Shell
from providers.connection.ssh import SshNode
from providers.connection.transport import Link

READ, WRITE = command("cat", "x", reads=True), command("touch", "x")
SETTINGS = ConnectionSettings("qsp-b", "192.0.2.12")
GONE = Unreachable("no SSH connection: no answer in time", node="qsp-b")


class Root:
    """A shell in which every command succeeds."""

    async def run(self, *requests: object) -> list[Answer]:
        return [Answer(0, b"", b"") for _ in requests]


async def _no_other() -> Shell:
    raise AssertionError


async def _close() -> None:
    """Nothing is behind it."""


def link() -> Link:
    sessions = Sessions(cast(Shell, Root()), _no_other)
    return cast(Link, SimpleNamespace(broken=False, sessions=sessions, close=_close))


class Door:
    """What becomes of attempts to connect: ``found`` of the first, then what is set, once it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: Exception) -> None:
        self.attempts = 0
        self.next: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._found = found
        monkeypatch.setattr(ssh, "open_link", self._open)

    async def _open(self, settings: ConnectionSettings, *, budget: float) -> Link:
        del settings, budget
        self.attempts += 1
        if self.attempts == 1:
            raise self._found
        return await asyncio.shield(self.next)


async def known_as(found: Exception, node: SshNode) -> None:
    with pytest.raises(type(found)):
        await node.run(READ)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_readings_do_not_wait_for_it_and_notice_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    door, node = Door(monkeypatch, GONE), SshNode(SETTINGS)
    await known_as(GONE, node)
    async with asyncio.timeout(5):
        for _ in range(3):
            with pytest.raises(Unreachable, match="qsp-b: no SSH connection: no answer in time"):
                await node.run(READ)
            with pytest.raises(Unreachable):
                await node.batch([READ])
    await turns()
    assert door.attempts == 2, "one attempt is under way for all of them"
    door.next.set_result(link())
    await turns()
    assert (await node.run(READ)).exit_code == 0
    assert door.attempts == 2


async def _written(node: SshNode) -> None:
    await node.run(WRITE)


async def _long_after(node: SshNode) -> None:
    node._silent_until = 0.0
    await node.run(READ)


@pytest.mark.parametrize("ask", [_written, _long_after])
async def test_what_writes_waits_for_an_attempt_and_so_does_a_reading_some_time_later(
    ask: Callable[[SshNode], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door, node = Door(monkeypatch, GONE), SshNode(SETTINGS)
    await known_as(GONE, node)
    asking = asyncio.create_task(ask(node))
    await turns()
    assert (asking.done(), door.attempts) == (False, 2)
    door.next.set_result(link())
    await asyncio.wait_for(asking, 5)


async def test_one_that_answered_is_asked_again_by_every_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = LoginRefused("SSH login was refused", node="qsp-b")
    door, node = Door(monkeypatch, refused), SshNode(SETTINGS)
    door.next.set_result(link())
    await known_as(refused, node)
    assert (await node.run(READ)).exit_code == 0


async def test_what_was_closed_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    door, node = Door(monkeypatch, GONE), SshNode(SETTINGS)
    door.next.set_result(link())
    await known_as(GONE, node)
    await node.close()
    assert (await node.run(READ)).exit_code == 0


async def test_whether_the_other_node_is_off_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service must not start beside one whose node came back a moment ago."""
    door, node = Door(monkeypatch, GONE), SshNode(SETTINGS)
    door.next.set_result(link())
    await known_as(GONE, node)
    with pytest.raises(Refused, match="qsp-b answers over SSH"):
        await refuse_peer(fake_cluster(FakeNode("qsp-a"), node), "qsp-a")
