"""What stands behind the proxy, in the namespace `origin`: a web server, and the package source of the nodes.

    python -m lab.origin 192.0.2.1 PACKAGES

Port 80 answers any path with a small page that may be cached nowhere. A path can ask for more:
``/delay/2.5/size/100000/r/17`` waits 2.5 s and sends 100000 bytes. Port 8080 serves the files below PACKAGES.
"""

from __future__ import annotations

import asyncio
import functools
import http.server
import sys
import threading
from dataclasses import dataclass

LONGEST_DELAY = 120.0
LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """What a path asks for."""

    delay: float = 0.0
    """Seconds before the answer."""
    size: int | None = None
    """Bytes of the body; without it the body is the path."""


def page(path: str) -> Page:
    """Read the options at the start of a path; what is no valid option is part of the page's name."""
    delay, size = 0.0, None
    parts = path.split("?", maxsplit=1)[0].strip("/").split("/")
    while len(parts) > 1:
        name, value = parts[0], parts[1]
        if name == "delay" and value.replace(".", "", 1).isdigit():
            delay = min(float(value), LONGEST_DELAY)
        elif name == "size" and value.isdigit():
            size = min(int(value), LARGEST_BODY)
        else:
            break
        parts = parts[2:]
    return Page(delay, size)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until the client closes it."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, path = head.split(b" ", 2)[:2]
            wanted = page(path.decode("ascii", errors="replace"))
            await asyncio.sleep(wanted.delay)
            body = path + b"\n" if wanted.size is None else b"x" * wanted.size
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), b"" if method == b"HEAD" else body)
            )
            await writer.drain()
            if b"connection: close" in head.lower():
                break
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        pass  # the client went away, or spoke no HTTP: nothing to answer
    finally:
        writer.close()


class Packages(http.server.SimpleHTTPRequestHandler):
    """Files for apt, which keeps its connection open over many requests."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Only failures are worth a line: there are hundreds of requests per host."""
        if len(args) > 1 and str(args[1]).startswith(("4", "5")):
            super().log_message(format, *args)


async def main(address: str, packages: str) -> None:
    """Serve both until the process is ended."""
    handler = functools.partial(Packages, directory=packages)
    source = http.server.ThreadingHTTPServer((address, 8080), handler)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    async with await asyncio.start_server(answer, address, 80, backlog=512) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
