"""Who listens on a port, by the real script, of sockets of this machine."""

import asyncio
import os
import resource
import socket

from providers.squid import probe
from tests.unit.local import LocalNode


def listening() -> socket.socket:
    opened = socket.create_server(("127.0.0.1", 0), backlog=4096)
    opened.settimeout(30)
    return opened


def number(opened: socket.socket) -> str:
    return str(os.fstat(opened.fileno()).st_ino)


async def test_the_sockets_that_listen_on_a_port_are_told_by_number():
    with listening() as one, listening():
        port = str(one.getsockname()[1])
        assert await probe.listeners(LocalNode(), port) == number(one)
    assert await probe.listeners(LocalNode(), port) == ""


async def test_a_busy_proxy_is_looked_at_in_no_time():
    """Thousands of connections; read line by line by bash, their table took more than the command's time limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    held: list[socket.socket] = []
    try:
        with listening() as one:
            for _ in range(1500):
                held.append(socket.create_connection(one.getsockname()))
                held.append(one.accept()[0])
            async with asyncio.timeout(10):
                assert await probe.listeners(LocalNode(), str(one.getsockname()[1])) == number(one)
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
