"""Running a drill so that Ctrl-C ends it in order: what is broken is repaired before the command ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from operations.stacks import StackTrouble
from providers.connection.errors import HostError, NotVerified
from providers.connection.loop import Work

T = TypeVar("T")


async def to_its_end(work: Coroutine[Any, Any, None], limit: float | None = None) -> None:
    """Do ``work``, also where this is cancelled meanwhile: then it is ended first, or given up after ``limit`` seconds.

    What a repair has not come to may have no undo of its own; and a command that is given up goes on on its node,
    where it would break things again, or begin to send, after all was undone.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=limit)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception) and not isinstance(ended, HostError):
            raise ended from None
        raise


class Interrupted(Exception):
    """The drill was ended by a signal; the message says whether all is as before."""


def run_in_order(
    work: Coroutine[Any, Any, T], tell: Callable[[str], None], otherwise: str = "the nodes undo it by themselves"
) -> T:
    """Run ``work`` on the process's loop; at the first interrupt it is cancelled and waited for, then `Interrupted`.

    A second interrupt ends the waiting (KeyboardInterrupt): what was armed is then undone without the drill, which
    ``otherwise`` says.
    """
    running = Work(work)
    with _terminated_as_interrupted():
        try:
            return running.result()
        except KeyboardInterrupt:
            running.call_off()
            tell(f"interrupted; ending what is under way, and undoing what is broken (again: do not wait, {otherwise})")
        try:
            running.wait()
        except CancelledError as ended:
            raise Interrupted("the drill was interrupted; what it had broken is undone") from ended
        except NotVerified as ended:
            raise Interrupted(f"the drill was interrupted, and not all is as before: {ended}") from ended
        except (HostError, StackTrouble) as ended:
            # Whatever is not as before would be `NotVerified` (`Runner.run`).
            raise Interrupted(
                f"the drill was interrupted; what it had broken is undone; it ended by: {ended}"
            ) from ended
        except Exception as ended:
            raise Interrupted(
                "the drill was interrupted, and ended by a fault of this program, so perhaps not all is undone: "
                f"{type(ended).__name__}: {ended}"
            ) from ended
    raise Interrupted("the drill had ended when it was interrupted")


@contextmanager
def _terminated_as_interrupted() -> Generator[None]:
    """SIGTERM as Ctrl-C: a pipeline that is cancelled sends it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
