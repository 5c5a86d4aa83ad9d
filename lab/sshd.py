"""Each host's sshd, offered outside the tree as a unix socket. Runs in the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from lab.host import Host


async def banner(address: str, timeout: float) -> bytes:
    """The first line a host's sshd says. Raises OSError or TimeoutError when it says nothing."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(address, 22)
        try:
            return await reader.readline()
        finally:
            writer.close()


class Forwards:
    """The sockets <host>.ssh in the run directory."""

    def __init__(self, directory: Path, uid: int, gid: int) -> None:
        self._directory = directory
        self._owner = uid, gid
        self._servers: dict[str, asyncio.Server] = {}

    async def open(self, host: Host) -> None:
        """Offer a host's sshd; the socket is there whether or not the host is on."""

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(30):
                    far_reader, far_writer = await asyncio.open_connection(host.address, 22)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            writer.close()

        path = self._directory / f"{host.name}.ssh"
        path.unlink(missing_ok=True)
        self._servers[host.name] = await asyncio.start_unix_server(forward, path)
        os.chown(path, *self._owner)
        path.chmod(0o600)

    def close(self, name: str) -> None:
        """Take a host's socket away."""
        server = self._servers.pop(name, None)
        if server is not None:
            server.close()
            (self._directory / f"{name}.ssh").unlink(missing_ok=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # a host that lost its power resets nothing in order
    finally:
        writer.close()
