"""Shells of one connection: who waits for one is never forgotten, whatever becomes of those who have one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from providers.connection import sessions
from providers.connection.sessions import Sessions, ShellRefused
from providers.connection.shell import Shell


class Fake:
    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.01)


def shell() -> Shell:
    return cast("Any", Fake())


class Node:
    """Gives no shell beyond ``most`` at a time."""

    def __init__(self, most: int) -> None:
        self.most, self.given = most, 1

    async def open(self) -> Shell:
        if self.given >= self.most:
            raise ShellRefused("no more sessions")
        self.given += 1
        return shell()


class Race:
    """One who has the node's only shell and loses it, and three who wait for it."""

    def __init__(self, node: Node) -> None:
        self._shells = Sessions(shell(), node.open)
        self._node = node
        self._holding = asyncio.Event()
        self._release = asyncio.Event()

    async def _lose(self) -> None:
        async with self._shells.one():
            self._holding.set()
            await self._release.wait()
            raise ConnectionError

    async def _use(self) -> None:
        async with self._shells.one():
            pass

    async def outcome(self, room: int) -> list[BaseException | None]:
        """What became of the one and of the three; the node gives ``room`` shells more once the first is lost."""
        first = asyncio.create_task(self._lose())
        await self._holding.wait()
        waiting = [asyncio.create_task(self._use()) for _ in range(3)]
        done, _ = await asyncio.wait(waiting, timeout=0.2)
        assert not done
        self._node.most += room
        self._release.set()
        async with asyncio.timeout(10):
            return await asyncio.gather(first, *waiting, return_exceptions=True)


async def test_who_waits_for_a_shell_that_is_lost_gets_another_if_the_node_gives_one() -> None:
    lost, *waited = await Race(Node(most=1)).outcome(room=1)
    assert isinstance(lost, ConnectionError)
    assert waited == [None] * 3


async def test_who_waits_fails_like_the_last_one_where_the_node_gives_none_any_more() -> None:
    found = await Race(Node(most=1)).outcome(room=0)
    assert [type(each) for each in found] == [ConnectionError, *[ShellRefused] * 3]
