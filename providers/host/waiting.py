"""Waiting for a condition with a deadline, and telling the person in front of the screen that something goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

REPORT_EVERY = 15.0
"""Seconds between two lines of progress."""


async def until(
    ask: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool],
    limit: float,
    *,
    pause: float = 1.0,
    report: Callable[[T, float], None] | None = None,
) -> tuple[T, bool]:
    """Ask until the answer holds or ``limit`` seconds are over; the last answer, and whether it held.

    It asks at least once. ``report`` gets an answer that does not hold yet and the seconds waited so far, every
    `REPORT_EVERY` seconds.
    """
    begun = time.monotonic()
    reported = begun
    while True:
        answer = await ask()
        now = time.monotonic()
        if holds(answer):
            return answer, True
        if now - begun >= limit:
            return answer, False
        if report is not None and now - reported >= REPORT_EVERY:
            report(answer, now - begun)
            reported = now
        await asyncio.sleep(min(pause, max(limit - (now - begun), 0.0)))


async def reporting(work: Awaitable[T], report: Callable[[float], None]) -> T:
    """The result of ``work``; ``report`` is called with the seconds it has taken, every `REPORT_EVERY` seconds."""
    begun = time.monotonic()
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=REPORT_EVERY)
            if done:
                return task.result()
            report(time.monotonic() - begun)
    finally:
        task.cancel()
