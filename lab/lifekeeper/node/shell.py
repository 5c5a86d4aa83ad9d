"""Running commands, and how a command of the stand-in fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass


class Failed(Exception):
    """A command of the stand-in fails with this exit code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Died(Exception):
    """A switch says that the command ends here, as if it had been killed."""


@dataclass(frozen=True)
class Done:
    """What a program came to; ``text`` has both outputs."""

    code: int
    text: str


async def run(*argv: str, seconds: float = 60.0) -> Done:
    """Run a program to its end, or for so many seconds (code 124)."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True, env={**os.environ, "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
    except OSError as error:
        return Done(127, f"{argv[0]}: {error.strerror}\n")
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate()
    except TimeoutError:
        # With what it has started, which may hold its output.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        return Done(124, f"{argv[0]}: took longer than {seconds:g} s\n")
    return Done(process.returncode if process.returncode is not None else 255, out.decode(errors="replace"))


async def must(*argv: str, seconds: float = 60.0) -> str:
    """Run a program that has to succeed. Raises `Failed` with its last words."""
    done = await run(*argv, seconds=seconds)
    if done.code != 0:
        raise Failed(1, f"`{' '.join(argv)}` ended with {done.code}: {' / '.join(done.text.strip().splitlines()[-3:])}")
    return done.text
