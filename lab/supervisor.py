"""The process that owns a lab. Three stages of one program, each the parent of the next:

1. ``python -m lab.supervisor DIRECTORY`` takes the lock of the run directory and becomes ``unshare``. The lock is an
   open file that all these stages and the machines inherit: it is free exactly when the whole tree has ended.
2. ``... --first``: process 1 of the tree. Collects orphans, and ends when stage 3 ends; the kernel then ends the rest.
3. The supervisor: sets the lab up and answers requests on the socket ``control``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from lab import configuration, containers
from lab.accelerator import choose
from lab.access import write_access
from lab.errors import LabError
from lab.network import Tree, run
from lab.paths import LOCK_FILE
from lab.requests import Lab
from lab.tsc import frequency_khz

Dispatch = Callable[[Mapping[str, Any]], Awaitable[Any]]


def enter(directory: Path) -> None:
    """Stage 1: lock the run directory and become the tree's outermost process. Raises LabError when it is locked."""
    lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + 2
    while not _try_lock(lock):
        # Whoever asks whether a lab runs holds the lock for an instant, so one refusal proves nothing.
        if time.monotonic() > deadline:
            raise LabError(f"a lab runs in {directory} already")
        time.sleep(0.02)
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    os.set_inheritable(lock, True)  # noqa: FBT003
    os.execvp(  # noqa: S606
        "unshare",
        ["unshare", "--fork", "--pid", "--net", "--mount", "--mount-proc", "--kill-child",
         sys.executable, "-m", "lab.supervisor", "--first", str(directory), str(lock)],
    )  # fmt: skip


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def first(directory: Path, lock: int) -> int:
    """Stage 2: process 1 of the tree."""
    supervisor = os.fork()
    if supervisor == 0:
        return stage_supervisor(directory, lock)
    while True:
        pid, status = os.wait()
        if pid == supervisor:
            return os.waitstatus_to_exitcode(status) & 0xFF


def stage_supervisor(directory: Path, lock: int) -> int:
    """Stage 3; a failure to set up is left for `up` in the file `failed`."""
    try:
        asyncio.run(supervise(directory, lock))
    except Exception as error:  # noqa: BLE001  whatever it is, `up` has to say it
        traceback.print_exc()
        sentence = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        (directory / "failed").write_text(sentence)
        return 1
    return 0


async def supervise(directory: Path, lock: int) -> None:
    """Set the lab up, answer requests until `down` or SIGTERM."""
    told = configuration.read(directory)
    os.environ["SQUID_HA_CACHE"] = told.cache
    write_access(directory, told)
    memory = directory / "memory"
    memory.mkdir(exist_ok=True)
    await run("mount", "-t", "tmpfs", "-o", "mode=0700,size=80%", "lab-memory", str(memory))
    Path("/run/netns").mkdir(parents=True, exist_ok=True)
    await run("mount", "-t", "tmpfs", "-o", "mode=0755", "lab-netns", "/run/netns")

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    accelerator = await choose(Path(told.kernel), Path(told.initrd))
    tsc_khz = await asyncio.to_thread(frequency_khz)
    lab = Lab(Tree(directory, memory, lock), told, accelerator, tsc_khz, ended)
    await lab.set_up()
    await listen(directory, lab.dispatch, (told.uid, told.gid), ended)


async def listen(directory: Path, dispatch: Dispatch, owner: tuple[int, int], ended: asyncio.Event) -> None:
    """Answer requests until `ended`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await answer(line, dispatch)).encode() + b"\n")
                await writer.drain()
        writer.close()

    # Made under another name: `up` takes the socket's being there for being ready.
    path, hidden = directory / "control", directory / "control.new"
    for old in (path, hidden):
        old.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, hidden, limit=16 * 1024 * 1024)
    os.chown(hidden, *owner)
    hidden.chmod(0o600)
    hidden.rename(path)
    async with server:
        await ended.wait()
        path.unlink(missing_ok=True)
        # The answer to `down` is still on its way to the client.
        await asyncio.sleep(0.05)


async def answer(line: bytes, dispatch: Dispatch) -> dict[str, Any]:
    """Do the request on a line and wrap what comes of it."""
    try:
        return {"ok": await dispatch(json.loads(line))}
    except LabError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001  one failed request must not end the lab
        traceback.print_exc()
        return {"error": f"the lab's supervisor failed: {type(error).__name__}: {error}; see .lab/run/supervisor.log"}


def main() -> int:
    """Which stage this process is."""
    arguments = sys.argv[1:]
    if arguments[0] == "--first":
        return first(Path(arguments[1]), int(arguments[2]))
    if arguments[0] == "--clean-up":
        containers.clean_up(Path(arguments[1]))
        return 0
    try:
        enter(Path(arguments[0]))
    except LabError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
