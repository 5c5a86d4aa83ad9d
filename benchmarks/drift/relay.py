"""A slow line to each node, without the kernel's help: a relay between the proxy command and the node's own socket.

Every byte comes half a round trip later, in order; how many go through in a second is not limited. As with TCP, the
first byte is sent when one round trip has gone by.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator, Mapping
from pathlib import Path

_CHUNK = 65536


@contextlib.contextmanager
def slow_lines(sockets: Mapping[str, Path], folder: Path, round_trip: float) -> Generator[None]:
    """``NAME.ssh`` in a folder for each of the sockets, ``round_trip`` seconds away from it, while the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    relay = _Relay(round_trip)
    try:
        asyncio.run_coroutine_threadsafe(relay.open(sockets, folder), loop).result()
        yield
    finally:
        asyncio.run_coroutine_threadsafe(relay.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Relay:
    def __init__(self, round_trip: float) -> None:
        self._round_trip = round_trip
        self._servers: list[asyncio.Server] = []
        self._lines: set[asyncio.Task[None]] = set()

    async def open(self, sockets: Mapping[str, Path], folder: Path) -> None:
        for name, target in sockets.items():
            self._servers.append(await self._listen(folder / f"{name}.ssh", target))

    async def _listen(self, path: Path, target: Path) -> asyncio.Server:
        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = asyncio.get_running_loop().create_task(self._line(reader, writer, target))
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)

        path.unlink(missing_ok=True)
        return await asyncio.start_unix_server(accepted, path)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Path) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            await asyncio.sleep(self._round_trip)
            far_reader, far_writer = await asyncio.open_unix_connection(target)
            with contextlib.closing(far_writer):
                await asyncio.gather(
                    _carry(reader, far_writer, self._round_trip / 2), _carry(far_reader, writer, self._round_trip / 2)
                )


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """All that comes, and its end, each ``delay`` seconds after it came."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.ensure_future(arrive())
    try:
        data = b"first"
        while data:
            data = await reader.read(_CHUNK)
            under_way.put_nowait((loop.time() + delay, data))
        await arriving
    finally:
        arriving.cancel()
