"""The load client against servers on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Awaitable, Callable

import pytest

from lab import origin
from lab.load import Plan, Record, read_head, request, send

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def against(handler: Handler, timeout: float = 1.0) -> Record:
    closed = asyncio.Event()
    async with await asyncio.start_server(until_closed(handler, closed), "127.0.0.1", 0) as server:
        record = await request(plan(server.sockets[0].getsockname()[1], timeout), 7)
        await closed.wait()
    return record


def until_closed(handler: Handler, closed: asyncio.Event) -> Handler:
    """The handler of one connection, which is closed in whole before `closed` is set."""

    async def wrapped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        closed.set()

    return wrapped


def plan(port: int, timeout: float = 1.0, rate: float = 200.0, workers: int = 10) -> Plan:
    return Plan("run", rate, workers, timeout, f"127.0.0.1:{port}", "192.0.2.1")


def saying(answer: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handler


async def test_a_whole_answer_is_answered() -> None:
    record = await against(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.1 qsp-a (squid/5.7)\r\n\r\nok"))
    assert record.answered
    assert (record.id, record.status, record.error, record.node) == ("run-7", 200, "", "qsp-a")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", "IncompleteReadError"),
        (b"HTTP/1.1 200 OK\r\n", "IncompleteReadError"),
        (b"", "IncompleteReadError"),
        (b"nonsense\r\n\r\n", "ValueError"),
    ],
)
async def test_a_cut_off_answer_has_failed(answer: bytes, error: str) -> None:
    record = await against(saying(answer))
    assert not record.answered
    assert record.status is None
    assert record.error.startswith(error)


async def test_an_error_page_has_failed_with_its_status() -> None:
    record = await against(saying(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"))
    assert (record.answered, record.status) == (False, 503)


async def test_silence_fails_after_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    record = await against(silent, timeout=0.05)
    assert record.error == "nothing within 0.05 s"
    assert 0.04 < record.end - record.start < 20


async def test_every_number_is_sent_once_and_recorded_once() -> None:
    seen: list[bytes] = []
    closed: list[object] = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        if len(seen) % 3:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        closed.append(writer)

    file, stop = io.StringIO(), asyncio.Event()
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        sending = asyncio.create_task(send(plan(listening.sockets[0].getsockname()[1]), file, stop))
        await until(lambda: len(seen) >= 30)
        stop.set()
        await sending
        await until(lambda: len(closed) == len(seen))
    records = [Record(**json.loads(line)) for line in file.getvalue().splitlines()]
    assert sorted(f"http://192.0.2.1/r/{record.id}".encode() for record in records) == sorted(seen)
    assert {record.id for record in records} == {f"run-{number}" for number in range(1, len(seen) + 1)}
    assert any(not record.answered for record in records)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


def test_a_head_without_length_or_proxy() -> None:
    assert read_head(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n") == (200, None, "")


@pytest.mark.parametrize(
    ("path", "delay", "size"),
    [
        ("/r/run-1", 0, None),
        ("/delay/2.5/r/1", 2.5, None),
        ("/size/10/delay/1/x", 1, 10),
        ("/delay/soon/x", 0, None),
        ("/delay/1e9/x", 0, None),
        ("/delay/99999/x", origin.LONGEST_DELAY, None),
        ("/size/-1", 0, None),
        ("/", 0, None),
    ],
)
def test_options_in_a_path(path: str, delay: float, size: int | None) -> None:
    assert origin.page(path) == origin.Page(delay, size)


async def test_origin_keeps_connections_and_closes_them_when_asked() -> None:
    closed = asyncio.Event()
    async with await asyncio.start_server(until_closed(origin.answer, closed), "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(b"GET /r/1 HTTP/1.1\r\n\r\nGET /size/3/r/2 HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await closed.wait()
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"\r\n\r\n/r/1\nHTTP/1.1" in answer
    assert answer.endswith(b"\r\n\r\nxxx")
