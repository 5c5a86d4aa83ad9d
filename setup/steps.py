"""Running setup's steps: progress on the terminal, commands with their errors put into a sentence."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from setup import places

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


def trouble(error: OSError) -> SetupError:
    """What the system refused, as a sentence: the file, its words, what to do."""
    # Writing to a file that is open already names none.
    named = isinstance(error.filename, str | bytes | os.PathLike)
    path = Path(os.fsdecode(error.filename)) if named else None
    return SetupError(f"{path or 'a file'}: {error.strerror or error}. {remedy_for(error, path)}".rstrip())


def remedy_for(error: OSError, path: Path | None) -> str:
    """What helps against the two usual reasons: files of another user, and no room."""
    if error.errno in (errno.EACCES, errno.EPERM) and path:
        return (
            "Is it another user's, as after `sudo make setup`? Then take it back: "
            f'sudo chown -R "$(id -u)" {shlex.quote(str(top_of(path)))}'
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Make room there (`df -h` shows where), or set SQUID_HA_CACHE to a folder of its own on another disk."
    return ""


def top_of(path: Path) -> Path:
    """What has to change hands with a file, so that the next one is no trouble either."""
    if path.is_relative_to(places.PROJECT):
        return places.PROJECT
    cache = places.cache()
    if path.is_relative_to(cache) and path != cache:
        return cache / path.relative_to(cache).parts[0]
    return path


def fail(error: SetupError) -> int:
    """Print an error and return the exit code for it."""
    print(f"\nstopped: {error}", file=sys.stderr)
    return 1
