"""Running setup's steps: progress on the terminal, commands with their errors put into a sentence."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TITLE_WIDTH = 18
TICK = 15.0
"""Seconds after which a step that is still running says so again."""


class SetupError(Exception):
    """Setup cannot go on. The message is one sentence for people: what happened, and what to do."""


class Step:
    """A step that is running; its ``result`` ends up on its closing line."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.result = "done"
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"  {self.title:<{TITLE_WIDTH}} ... {text}", flush=True)


@contextmanager
def step(title: str) -> Generator[Step]:
    """Print a closing line with the result and the seconds taken, and signs of life in between."""
    current = Step(title)
    over = threading.Event()

    def tick() -> None:
        while not over.wait(TICK):
            current.say(f"{current.elapsed:.0f} s so far")

    threading.Thread(target=tick, daemon=True).start()
    try:
        yield current
    except BaseException:
        over.set()
        print(f"  {title:<{TITLE_WIDTH}} failed after {current.elapsed:.1f} s", flush=True)
        raise
    over.set()
    print(f"  {title:<{TITLE_WIDTH}} {current.result}  ({current.elapsed:.1f} s)", flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str = "",
) -> str:
    """Run a command and return its standard output.

    ``env`` is added to the environment. Raises SetupError with the command's last lines and ``remedy``.
    """
    command = [str(part) for part in argv]
    shown = shlex.join(command)
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, text=True, capture_output=True, check=False
        )
    except OSError as error:
        raise SetupError(f"`{shown}` could not be started: {error.strerror}. {remedy}".rstrip()) from error
    if done.returncode:
        last = "\n    ".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        ended = f"`{shown}` ended with exit code {done.returncode}. {remedy}".rstrip()
        raise SetupError(f"{ended}\n    {last}")
    return done.stdout


def fail(error: SetupError) -> int:
    """Print an error and return the exit code for it."""
    print(f"\nstopped: {error}", file=sys.stderr)
    return 1
