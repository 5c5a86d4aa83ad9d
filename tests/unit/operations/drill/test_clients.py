"""Clients here and on a node: numbered, each sent once, none left running."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from operations.drill import clients
from operations.drill.clients import FromHere, FromNode
from operations.verify.requests import Target, parse
from providers.connection.command import Command
from providers.connection.fake import FakeNode
from providers.host.waiting import until


async def serve(answer: bytes) -> tuple[asyncio.Server, int]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


def target(port: int) -> Target:
    return Target("127.0.0.1", port, "http://192.0.2.1/")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200),
        (b"HTTP/1.1 404 x\r\n\r\nabc", 404),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc", None),
        (b"SSH-2.0-x\r\n\r\n", None),
    ],
)
async def test_here_every_request_is_numbered_and_ends_as_it_ended(answer: bytes, status: int | None) -> None:
    server, port = await serve(answer)
    async with server:
        asking = FromHere("d1", 200)
        await asking.start(target(port))
        await until(asking.read, lambda ended: len(ended) >= 5, 20, pause=0.01)
        done = await asking.stop()
    assert {request.status for request in done} == {status}
    assert all(bool(request.error) == (status is None) for request in done)
    numbers = sorted(int(request.id.removeprefix("d1-")) for request in done)
    assert numbers == list(range(1, len(done) + 1))
    await asyncio.sleep(0.05)
    assert await asking.stop() == done, "requests were sent after the end"


async def test_here_nobody_listening_is_an_error_of_each_request() -> None:
    asking = FromHere("d1", 100)
    await asking.start(target(1))
    await until(asking.read, bool, 20, pause=0.01)
    assert "ConnectionRefusedError" in (await asking.stop())[0].error


@pytest.mark.parametrize(("longest", "ends"), [(0.0, "3600"), (9000.0, "9000")])
async def test_on_a_node_they_are_a_unit_that_ends_by_itself_and_is_stopped(longest: float, ends: str) -> None:
    line = f"d1-1\t{time.time() + 100}\t{time.time() + 101}\t200\t\n"

    def answer(command: Command) -> str:
        if command.argv[0] == "date":
            return f"{time.time() + 100}\n"
        return line + "d1-2\thalf" if "stop" in str(command) or command.argv[0] == "cat" else ""

    node = FakeNode("qsp-b", answer)
    asking = FromNode("d1", 5, node, longest)
    await asking.start(target(3128))
    start = next(command for command in node.commands if str(command).startswith("start squid-ha-drill-clients-d1"))
    assert "RuntimeMaxSec" in start.argv[2]
    assert ends in start.argv
    (request,) = await asking.read()
    assert abs(request.start - time.time()) < 5, "its times are by the node's clock"
    assert await asking.stop() == [request]
    before = len(node.commands)
    assert await asking.stop() == [request]
    assert len(node.commands) == before


async def test_an_address_with_a_dollar_is_asked_for_as_it_is() -> None:
    node = FakeNode("qsp-b", lambda command: f"{time.time()}\n" if command.argv[0] == "date" else "")
    await FromNode("d1", 5, node).start(Target("127.0.0.1", 3128, "http://$HOME.example.org/"))
    assert "http://$$HOME.example.org/r/" in node.commands[-1].argv


async def test_what_the_node_runs_sends_and_ends_when_it_is_told(tmp_path: Path) -> None:
    server, port = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    file = tmp_path / "records"
    file.touch()
    words = ["127.0.0.1", str(port), "3", "0.05", "d1", "http://192.0.2.1/r/", str(file)]
    async with server:
        process = await asyncio.create_subprocess_exec("bash", "-c", clients._SEND, "bash", *words)

        async def ended() -> str:
            return file.read_text()

        await until(ended, lambda text: text.count("\n") >= 4, 20, pause=0.02)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    done = parse(file.read_text())
    assert {request.status for request in done} == {200}
    assert sorted(int(request.id.removeprefix("d1-")) for request in done) == list(range(1, len(done) + 1))
