"""Who gets a site's alerts in the tests: an HTTP listener and a mail server that write down what they take.

python receiver.py ADDRESS FILE      HTTP on port 8025, SMTP on port 2525; a JSON object a line
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

HTTP, SMTP = 8025, 2525


class Book:
    """The file that everything is written to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, **what: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.add(by="webhook", path=first.split()[1], headers=headers, body=json.loads(body))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RFC 5321, as much of it as a client without extensions needs."""
        recipients: list[str] = []
        writer.write(b"220 sink\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(":")[0].split(" ")[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.add(by="mail", to=recipients, text=text)
            if verb == "RCPT":
                recipients.append(line.split("<")[1].split(">")[0])
            writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
            await writer.drain()
            if verb == "QUIT":
                break
        writer.close()


def read(path: Path) -> list[dict[str, Any]]:
    """What was taken so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def main(address: str, path: Path) -> None:
    book = Book(path)
    await asyncio.start_server(book.http, address, HTTP)
    await asyncio.start_server(book.smtp, address, SMTP)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
