"""A root shell on a node that stays: commands are handed to it, and answers read, over one SSH session.

Becoming root once instead of for every command is most of the difference between a run that waits and one that works:
sudo, PAM and a login shell cost several times what a typical command does.

A request is a line ``mark size input``, ``size`` bytes of shell text that end with the mark, and ``input`` bytes for
the command's standard input. The text runs in a subshell of its own; then the mark follows on both outputs, with the
exit code on the first. A mark is drawn anew for each request, and no command learns it, so nothing that a command
prints can be taken for it. A request that arrives cut short is not run: it lacks the mark at its end. A node needs a
POSIX shell and coreutils; nothing is written to its disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
from collections.abc import Sequence
from typing import NamedTuple, Protocol

LOOP = r"""
cd /
while read -r mark size input; do
  text=$(head -c "$size")
  case $text in *"#$mark") ;; *) exit 1;; esac
  if [ "$input" -gt 0 ]; then
    head -c "$input" | { (eval "exec $text"); code=$?; cat >/dev/null; exit "$code"; }
  else
    (eval "exec $text") </dev/null
  fi
  code=$?
  printf '\n%s\n' "$mark" >&2
  printf '\n%s %s\n' "$mark" "$code"
done
"""
"""What the shell runs: ``head`` takes no byte more than it was told to, so what follows is the next request."""
_CHUNK = 65536


class Request(NamedTuple):
    """A command's words, and what it finds on its standard input."""

    argv: Sequence[str]
    stdin: bytes = b""


class Answer(NamedTuple):
    """What a command gave back."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Source(Protocol):
    """Where output comes from, as asyncio and asyncssh both offer it."""

    async def read(self, n: int = -1, /) -> bytes:
        """Up to ``n`` bytes; nothing at the end."""
        ...


class Sink(Protocol):
    """Where input goes."""

    def write(self, data: bytes, /) -> None:
        """Send it, without waiting."""
        ...

    def write_eof(self) -> None:
        """Send no more."""
        ...


class Shell:
    """The near end of one such shell. One caller at a time."""

    def __init__(self, stdin: Sink, stdout: Source, stderr: Source) -> None:
        self._stdin = stdin
        self._stdout = _Marked(stdout)
        self._stderr = _Marked(stderr)

    async def run(self, *requests: Request) -> list[Answer]:
        """Run these one after the other, in one round trip. Raises `ConnectionError` when the shell ends before."""
        marks = [secrets.token_hex(16) for _ in requests]
        # At once: every write is a packet of its own, encrypted by itself, and a system call.
        self._stdin.write(b"".join(map(encode, marks, requests)))
        return [await self._answer(mark) for mark in marks]

    def close(self) -> None:
        """Let it end after what it is doing."""
        with contextlib.suppress(OSError):
            self._stdin.write_eof()

    async def last_words(self) -> str:
        """The last line that came on standard error until it ended, for a shell that ended early."""
        lines = (await self._stderr.rest()).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    async def _answer(self, mark: str) -> Answer:
        (stdout, code), (stderr, _) = await asyncio.gather(self._stdout.until(mark), self._stderr.until(mark))
        return Answer(int(code), stdout, stderr)


def encode(mark: str, request: Request) -> bytes:
    """What is sent for one request."""
    text = f"{shlex.join(request.argv)}\n#{mark}".encode()
    return f"{mark} {len(text)} {len(request.stdin)}\n".encode() + text + request.stdin


class _Marked:
    """An output that marks divide."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._held = bytearray()

    async def until(self, mark: str) -> tuple[bytes, bytes]:
        """What came before the mark, and the rest of the mark's line."""
        wanted = f"\n{mark}".encode()
        searched = 0
        while (found := self._held.find(wanted, searched)) < 0 or (
            end := self._held.find(b"\n", found + len(wanted))
        ) < 0:
            searched = max(0, len(self._held) - len(wanted)) if found < 0 else found
            await self._more()
        before, rest = bytes(self._held[:found]), bytes(self._held[found + len(wanted) : end])
        del self._held[: end + 1]
        return before, rest

    async def rest(self) -> bytes:
        """All that is left."""
        while chunk := await self._source.read(_CHUNK):
            self._held += chunk
        return bytes(self._held)

    async def _more(self) -> None:
        chunk = await self._source.read(_CHUNK)
        if not chunk:
            raise ConnectionError("the shell on the node ended")
        self._held += chunk
