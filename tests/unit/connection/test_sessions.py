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


async def test_who_waits_for_a_shell_that_is_lost_gets_another_if_the_node_gives_one() -> None:
    node = Node(most=1)
    shells = Sessions(shell(), node.open)
    release, holding = asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        async with shells.one():
            holding.set()
            await release.wait()
            node.given -= 1
            raise ConnectionError

    async def works() -> bool:
        async with shells.one():
            return True

    first = asyncio.create_task(fails())
    await holding.wait()
    waiting = [asyncio.create_task(works()) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, timeout=0.2)
    assert not done
    release.set()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*waiting) == [True] * 3
    with pytest.raises(ConnectionError):
        await first


async def test_who_waits_fails_like_the_last_one_where_the_node_gives_none_any_more() -> None:
    node = Node(most=1)
    shells = Sessions(shell(), node.open)
    release, holding = asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        async with shells.one():
            holding.set()
            await release.wait()
            raise ConnectionError

    async def asks() -> None:
        async with shells.one():
            pass

    first = asyncio.create_task(fails())
    await holding.wait()
    waiting = [asyncio.create_task(asks()) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, timeout=0.2)
    assert not done
    release.set()
    async with asyncio.timeout(10):
        found = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(each) for each in found] == [ConnectionError, *[ShellRefused] * 3]
