"""A name server that knows every name: it answers with its own address, and writes down what it was asked for.

python name_server.py ADDRESS FILE      UDP, port 53; a name a line
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

_PORT = 53
_QUESTION = 12
"""Bytes of a message before its question (RFC 1035, 4.1.1)."""
_IPV4 = b"\0\1\0\1"


def answer(query: bytes, address: str) -> bytes:
    """The question back, with the address where one of IPv4 is asked for."""
    end = query.index(b"\0", _QUESTION) + 5
    question = query[_QUESTION:end]
    found = question.endswith(_IPV4)
    head = query[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if found else b"\0\0") + bytes(4)
    # The name of the question, its type and class, for a minute, four bytes.
    record = b"\xc0\x0c" + _IPV4 + (60).to_bytes(4, "big") + b"\0\4" + socket.inet_aton(address)
    return head + question + (record if found else b"")


def name(query: bytes) -> str:
    """The name that is asked for."""
    labels: list[str] = []
    place = _QUESTION
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("ascii", errors="replace").lower())
        place += 1 + length
    return ".".join(labels)


def wait(path: Path, limit: float = 20.0) -> None:
    """Wait until the server that writes to this file takes questions."""
    deadline = time.monotonic() + limit
    while not path.exists():
        assert time.monotonic() < deadline, "the name server does not start"
        time.sleep(0.05)


def main(address: str, path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, _PORT))
        path.touch()
        while True:
            query, client = server.recvfrom(512)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{name(query)}\n")
            server.sendto(answer(query, address), client)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
