"""A client behind the proxy: numbered requests at a set rate, each tried once, each with one record.

Inside the tree it runs in the namespace `client`; from outside, `start` and `stop` it. Every request has a connection
of its own, as that of a client that has just arrived, so that a virtual IP that moved is noticed by the next one. A
request that failed is never sent again: an id in the proxy's log was sent once.
"""

from __future__ import annotations

import argparse
import asyncio
import http
import json
import os
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from lab import control
from lab.addresses import ORIGIN, VIRTUAL_IP
from lab.errors import LabError
from lab.paths import run_directory

SERVICE = "load"


@dataclass(frozen=True)
class Record:
    """What became of one request. Times are seconds since the epoch on the lab's machine."""

    id: str
    """<run>-<number>; in the path of the request, and so in the proxy's log."""
    start: float
    end: float
    status: int | None
    """HTTP status; None when no whole answer came."""
    error: str
    """Why none came; empty when one did."""
    node: str
    """The proxy that answered, as its Via header names it; empty when it does not say."""

    @property
    def answered(self) -> bool:
        """Whether the client got what it asked for."""
        return self.status == http.HTTPStatus.OK


@dataclass(frozen=True)
class Plan:
    """What to send."""

    run: str
    rate: float
    """Requests begun per second."""
    workers: int
    """Requests under way at once, at most; when all wait, no request is begun, and the rate falls."""
    timeout: float
    """Seconds that a request may take in all."""
    proxy: str
    origin: str


async def request(plan: Plan, number: int) -> Record:
    """Send one request and record what came of it."""
    name = f"{plan.run}-{number}"
    start = time.time()
    status, error, node = None, "", ""
    try:
        async with asyncio.timeout(plan.timeout):
            status, node = await _exchange(plan, name)
    except TimeoutError:
        error = f"nothing within {plan.timeout:g} s"
    except (OSError, EOFError, ValueError) as trouble:
        error = f"{type(trouble).__name__}: {trouble}"
    return Record(name, start, time.time(), status, error, node)


async def _exchange(plan: Plan, name: str) -> tuple[int, str]:
    host, port = plan.proxy.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        target = f"http://{plan.origin}/r/{name}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {plan.origin}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, length, node = read_head(head)
        await (reader.read(-1) if length is None else reader.readexactly(length))
    finally:
        # Not waited for: a peer that lost its power never says goodbye.
        writer.transport.abort()
    return status, node


def read_head(head: bytes) -> tuple[int, int | None, str]:
    """Status, length of the body if told, and answering proxy. Raises ValueError for what is no HTTP answer."""
    lines = head.decode("latin-1").split("\r\n")
    if not re.match(r"HTTP/1\.[01] \d{3}\b", lines[0]):
        raise ValueError(f"no HTTP answer: {lines[0]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = headers.get("content-length")
    via = headers.get("via", "").split()
    return int(lines[0].split()[1]), None if length is None else int(length), via[1] if len(via) > 1 else ""


async def send(plan: Plan, file: IO[str], stop: asyncio.Event) -> None:
    """Send numbered requests until `stop`, then wait for those under way; every one leaves a line in `file`."""
    slots = asyncio.Semaphore(plan.workers)
    tasks: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        try:
            file.write(json.dumps(asdict(await request(plan, number))) + "\n")
            file.flush()
        finally:
            slots.release()

    clock = asyncio.get_running_loop().time
    number, due = 0, clock()
    while not stop.is_set():
        await slots.acquire()
        number += 1
        task = asyncio.create_task(one(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        # What fell behind while all workers waited is not made up for by a burst.
        due = max(due + 1 / plan.rate, clock())
        await _until(stop, due - clock())
    await asyncio.gather(*tasks)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def start(
    run: str, *, rate: float = 20.0, workers: int = 80, timeout: float = 3.0, proxy: str = "", origin: str = ""
) -> Path:
    """Start the client in the running lab; its file of records. One that a killed run left behind is ended first."""
    end()
    file = run_directory() / f"load-{run}.jsonl"
    file.unlink(missing_ok=True)
    file.touch()
    argv = [sys.executable, "-m", "lab.load", "--run", run, "--rate", str(rate), "--workers", str(workers)]
    argv += [
        "--timeout",
        str(timeout),
        "--proxy",
        proxy or f"{VIRTUAL_IP}:3128",
        "--origin",
        origin or ORIGIN,
        str(file),
    ]
    control.call("spawn", name=SERVICE, namespace="client", argv=argv)
    return file


def end() -> None:
    """End the client where it still runs, whatever came of its requests."""
    if any(service["name"] == SERVICE and service["running"] for service in control.call("status")["services"]):
        control.call("end", name=SERVICE)


def stop(file: Path, timeout: float = 30.0) -> list[Record]:
    """End the client, wait for requests under way, and return all records. Raises LabError when it had failed."""
    code = control.call("end", name=SERVICE, timeout=timeout)["code"]
    if code != 0:
        raise LabError(f"the load client ended with {code}; see .lab/run/{SERVICE}.log")
    return read(file)


def read(file: Path) -> list[Record]:
    """The records written so far, in the order in which the requests ended."""
    return [Record(**json.loads(line)) for line in file.read_text().splitlines() if line.endswith("}")]


async def _main(plan: Plan, path: Path) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with path.open("a", encoding="ascii") as file:
        await send(plan, file, stopped)
        os.fsync(file.fileno())


def _arguments() -> tuple[Plan, Path]:
    parser = argparse.ArgumentParser(prog="python -m lab.load")
    parser.add_argument("--run", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--proxy", required=True)
    parser.add_argument("--origin", required=True)
    parser.add_argument("file", type=Path)
    told = vars(parser.parse_args())
    path: Path = told.pop("file")
    return Plan(**told), path


if __name__ == "__main__":
    asyncio.run(_main(*_arguments()))
