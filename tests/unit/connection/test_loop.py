import asyncio
import concurrent.futures
import signal
import threading

import pytest

from providers.connection import loop
from providers.connection.errors import NotVerified, TimedOut
from providers.connection.loop import run_sync

pytestmark = pytest.mark.usefixtures("interruptible")


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


def test_an_interrupt_that_comes_just_before_the_wait_begins_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """As one does that the main thread is told of, and gets to only after a wait that nothing else ends."""
    waits, wait = list[float](), concurrent.futures.wait

    def late(those: list[concurrent.futures.Future[None]], timeout: float) -> None:
        waits.append(timeout)
        if len(waits) == 2:
            raise KeyboardInterrupt
        wait(those, timeout)

    monkeypatch.setattr(loop, "NOTICED_WITHIN", 0.05)
    monkeypatch.setattr(concurrent.futures, "wait", late)
    with pytest.raises(KeyboardInterrupt):
        run_sync(asyncio.sleep(60))
    assert waits[:2] == [0.05, 0.05]


def test_a_second_interrupt_is_noticed_while_things_are_taken_back(monkeypatch: pytest.MonkeyPatch):
    waits, wait, begun, let_go = list[float](), concurrent.futures.wait, threading.Event(), threading.Event()

    def late(those: list[concurrent.futures.Future[None]], timeout: float) -> None:
        begun.wait(10)
        waits.append(timeout)
        if len(waits) in (1, 3):
            raise KeyboardInterrupt
        wait(those, timeout)

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.to_thread(let_go.wait, 20)

    monkeypatch.setattr(loop, "NOTICED_WITHIN", 0.05)
    monkeypatch.setattr(loop, "UNDONE_WITHIN", 2.0)
    monkeypatch.setattr(concurrent.futures, "wait", late)
    with pytest.raises(KeyboardInterrupt) as ended:
        run_sync(work())
    let_go.set()
    assert (waits, ended.value.__cause__) == ([0.05, 0.05, 0.05], None)


def test_work_may_be_called_off_again_before_it_begins():
    work = loop.Work(asyncio.sleep(60))
    for _ in range(2):
        work._call_off()
    with pytest.raises(concurrent.futures.CancelledError):
        work.result()


def test_what_could_not_be_taken_back_is_the_cause_of_the_interrupt():
    """The node stays aside, say: whoever pressed Ctrl-C is to know."""
    started = threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            raise NotVerified("still aside", node="qsp-a")

    interrupt_once(started)
    with pytest.raises(KeyboardInterrupt) as ended:
        run_sync(work())
    assert isinstance(ended.value.__cause__, NotVerified)


def test_what_takes_too_long_to_be_taken_back_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "UNDONE_WITHIN", 0.2)
    started, let_go = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.to_thread(let_go.wait, 20)

    interrupt_once(started)
    with pytest.raises(KeyboardInterrupt) as ended:
        run_sync(work())
    let_go.set()
    assert isinstance(ended.value.__cause__, TimedOut)


def test_an_interrupt_before_the_first_step_has_nothing_begun(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "UNDONE_WITHIN", 5)
    busy, free, begun = threading.Event(), threading.Event(), list[str]()

    def hold_up() -> None:
        busy.set()
        free.wait(10)

    async def work() -> None:
        begun.append("begun")
        await asyncio.sleep(60)

    def interrupt() -> None:
        # The work and its end are then both there when the loop goes on.
        busy.wait(10)
        threading.Event().wait(0.3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        threading.Event().wait(0.3)
        free.set()

    loop.the_loop().call_soon_threadsafe(hold_up)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt) as ended:
        run_sync(work())
    assert (begun, ended.value.__cause__) == ([], None)


def test_an_error_of_the_work_is_its_own():
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_sync(work())
