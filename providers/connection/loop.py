"""One event loop for the whole process, in a thread of its own.

Pulumi calls a dynamic provider in four threads that have no event loop. All connections live on this one, so that
they are shared by all calls and kept from one call to the next.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from providers.connection.errors import TimedOut

T = TypeVar("T")

CLOSE_WITHIN = 4.0
"""Seconds for locks and connections to close at exit; Pulumi kills a plugin 5 s after asking it to end."""

UNDONE_WITHIN = 15.0
"""Seconds that one who interrupts waits for what was begun to be taken back on the nodes."""

NOTICED_WITHIN = 0.5
"""Seconds until an interrupt is noticed at the latest."""

_guard = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_closers: list[Callable[[], Awaitable[None]]] = []


def the_loop() -> asyncio.AbstractEventLoop:
    """The process's loop, started at the first call."""
    global _loop  # noqa: PLW0603 - one loop per process is the point
    with _guard:
        if _loop is None:
            # A proxy command that has ended is sometimes reaped before asyncio looks; nobody asks for its exit code.
            logging.getLogger("asyncio").addFilter(lambda record: "child process pid" not in str(record.msg))
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="squid-ha-ssh", daemon=True).start()
            atexit.register(_close)
        return _loop


class Work(Generic[T]):
    """Work on the process's loop that another thread waits for, and may call off at any time.

    ``outcome``: what came of it; of work that was called off, `concurrent.futures.CancelledError` or what it raised
    then.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._called_off = False

    def result(self) -> T:
        """Begin it and wait for its end. An interrupt of this may come when it has begun, or before."""
        asyncio.run_coroutine_threadsafe(self._run(), the_loop())
        return self.wait()

    def wait(self) -> T:
        """Wait for its end. An interrupt may come at any moment, and is noticed within `NOTICED_WITHIN`."""
        _wait(self.outcome)
        return self.outcome.result()

    def call_off(self) -> None:
        """Cancel it where it has begun, so that it takes back what it did; else it never begins."""
        the_loop().call_soon_threadsafe(self._call_off)

    async def _run(self) -> None:
        if self._called_off:
            self._work.close()
            return
        self._task = asyncio.current_task()
        try:
            self.outcome.set_result(await self._work)
        except asyncio.CancelledError:
            self.outcome.set_exception(concurrent.futures.CancelledError())
            raise
        except BaseException as error:  # noqa: BLE001 it is for the one who waits
            self.outcome.set_exception(error)

    def _call_off(self) -> None:
        """On the loop, so that the work has either begun or sees that it need not."""
        self._called_off = True
        if self._task is not None:
            self._task.cancel()
        elif not self.outcome.done():
            self.outcome.set_exception(concurrent.futures.CancelledError())


def _wait(outcome: concurrent.futures.Future[Any], limit: float = math.inf) -> None:
    """Until it is done, at most ``limit`` seconds; in pieces, so that an interrupt is noticed."""
    deadline = time.monotonic() + limit
    # Python gets to a signal that comes just before a wait begins only when that wait is over.
    while not outcome.done() and (left := deadline - time.monotonic()) > 0:
        concurrent.futures.wait([outcome], min(left, NOTICED_WITHIN))


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the process's loop from any other thread and wait for it.

    An interrupt cancels it, and is raised when the work has taken back what it had begun: at the latest after
    `UNDONE_WITHIN`, or at a second interrupt. Its ``__cause__`` is why something was not taken back, if so.
    """
    running = Work(work)
    try:
        return running.result()
    except BaseException as interrupt:
        if running.outcome.done():
            raise
        running.call_off()
        if trouble := _trouble_of(running.outcome):
            raise interrupt from trouble
        raise


def _trouble_of(cancelled: concurrent.futures.Future[Any]) -> Exception | None:
    """Why the work could not take back what it had begun; None where it has."""
    _wait(cancelled, UNDONE_WITHIN)
    if not cancelled.done():
        return TimedOut(
            f"taking back what was begun took longer than {UNDONE_WITHIN:.0f} s",
            remedy="run it again, or see `squid-ha status` for what is left of it",
        )
    try:
        cancelled.result()
    except concurrent.futures.CancelledError:
        return None
    except Exception as error:  # noqa: BLE001 whatever it is, the one who interrupts is told
        return error
    return None


def at_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have ``closer`` awaited on the loop when the process ends, within `CLOSE_WITHIN` together with all others."""
    _closers.append(closer)


async def _close_all() -> None:
    await asyncio.gather(*(closer() for closer in _closers), return_exceptions=True)


def _close() -> None:
    if _loop is None:
        return
    future = asyncio.run_coroutine_threadsafe(_close_all(), _loop)
    with contextlib.suppress(TimeoutError):
        future.result(CLOSE_WITHIN)
    _loop.call_soon_threadsafe(_loop.stop)
