"""Two readings of one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast

A = TypeVar("A")
B = TypeVar("B")


async def both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """What both say, asked at once; both finish before an error is raised, and the first one's goes before."""
    said = await asyncio.gather(first, second, return_exceptions=True)
    for each in said:
        if isinstance(each, BaseException):
            raise each
    return cast("tuple[A, B]", tuple(said))
