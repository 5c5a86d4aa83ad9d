import asyncio
import signal
import threading

import pytest

from providers.connection.loop import run_sync


def interrupt_once(started: threading.Event) -> None:
    def send() -> None:
        started.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()


def test_an_interrupt_is_raised_when_what_was_begun_is_taken_back():
    """`leave` puts a node aside for a moment: with the program gone before it is back, it would stay so."""
    started, told = threading.Event(), list[str]()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            told.append("taken back")

    interrupt_once(started)
    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert told == ["taken back"]


def test_an_error_of_the_work_is_its_own():
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_sync(work())
