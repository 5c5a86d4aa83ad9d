"""Clients that ask through the proxy all the time: numbered requests at a set rate, each sent once.

Every request has a connection of its own, as that of a client that has just arrived, so that a virtual IP that moved
is noticed by the next one. A request that failed is never sent again: an id in the proxy's log was sent once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from operations.proof.model import Request
from operations.verify import clocks
from operations.verify.requests import ASK, ERROR, HERE, Target, parse
from providers.connection.answers import told_by
from providers.connection.cluster import Node
from providers.connection.command import command, for_systemd, script

TIMEOUT = 3.0
"""Seconds that a request may take in all."""
AT_MOST = 200
"""Requests under way at once; when all wait, none is begun, and the rate falls."""
LONGEST = 3600.0
"""Seconds after which clients on a node end by themselves at the earliest, whatever becomes of the drill."""


class Clients(Protocol):
    """Requests named ``<run>-<number>``, counted from 1."""

    @property
    def place(self) -> str:
        """Where they are, for people."""
        ...

    async def start(self, target: Target) -> None:
        """Begin to send. Raises `HostError`."""
        ...

    async def read(self) -> list[Request]:
        """The requests that have ended so far. Raises `HostError`."""
        ...

    async def stop(self) -> list[Request]:
        """Send no more, wait for those under way, and return all. Nothing is left running. May be called twice."""
        ...


@dataclass
class FromHere:
    """Clients on the machine that the drill runs on."""

    run: str
    rate: float
    place: str = HERE
    _done: list[Request] = field(default_factory=list[Request])
    _under_way: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])
    _sender: asyncio.Task[None] | None = None

    async def start(self, target: Target) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send(target))

    async def read(self) -> list[Request]:
        """The requests that have ended so far."""
        return list(self._done)

    async def stop(self) -> list[Request]:
        """Send no more, wait for those under way, and return all."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, *self._under_way, return_exceptions=True)
            self._sender = None
        return list(self._done)

    async def _send(self, target: Target) -> None:
        clock = asyncio.get_running_loop().time
        number, due = 0, clock()
        while True:
            if len(self._under_way) < AT_MOST:
                number += 1
                task = asyncio.create_task(self._one(target, f"{self.run}-{number}"))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            # What fell behind is not made up for by a burst.
            due = max(due + 1 / self.rate, clock())
            await asyncio.sleep(due - clock())

    async def _one(self, target: Target, name: str) -> None:
        start, status, error = time.time(), None, ""
        try:
            async with asyncio.timeout(TIMEOUT):
                status = await _exchange(target, name)
        except TimeoutError:
            error = f"nothing within {TIMEOUT:g} s"
        except (OSError, EOFError, ValueError) as trouble:
            error = f"{type(trouble).__name__}: {trouble}"
        self._done.append(Request(id=name, start=start, end=time.time(), status=status, error=error))


async def _exchange(target: Target, name: str) -> int:
    reader, writer = await asyncio.open_connection(target.address, target.port)
    try:
        page = target.page(name)
        host = page.split("/")[2]
        writer.write(f"GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        words = head[0].split()
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():  # noqa: PLR2004 version, code
            raise ValueError(f"no HTTP answer: {head[0]!r}")
        length = next((line.partition(":")[2] for line in head[1:] if line.lower().startswith("content-length:")), "")
        await (reader.readexactly(int(length)) if length else reader.read(-1))
    finally:
        # Not waited for: a peer that lost its power never says goodbye.
        writer.transport.abort()
    return int(words[1])


# $1 address, $2 port, $3 seconds per request, $4 pause between two, $5 run, $6 what comes before the name, $7 file.
# A line per request, when it has ended: name, start, end, status or -, error; as `verify` prints them.
_SEND = (
    r"""
host=$1 port=$2 limit=$3 pause=$4 run=$5 base=$6 file=$7
"""
    + ASK
    + r"""one() {
    start=$EPOCHREALTIME
    status=$(timeout --kill-after=1 "$limit" bash -c 'ask "$@"' bash "$host" "$port" "$base$1" 2>/dev/null)
"""
    + ERROR
    + r"""    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$start" "$EPOCHREALTIME" "${status:--}" "$error" >>"$file"
}
stop=; trap 'stop=1' TERM
number=0
while [ -z "$stop" ]; do
    number=$((number + 1))
    one "$run-$number" &
    sleep "$pause"
done
wait
"""
)
_START = r"""
set -eu
mkdir -p /run/squid-ha
: >"$2"
unit=$1; shift 2
systemd-run --quiet --collect --unit="$unit" --property=RuntimeMaxSec="$1" --property=KillMode=mixed \
    --property=TimeoutStopSec=20 -- /bin/bash -c "$2" bash "$3" "$4" "$5" "$6" "$7" "$8" "$9"
"""
_STOP = r"""
systemctl stop "$1" 2>/dev/null || :
cat -- "$2" 2>/dev/null || :
rm -f -- "$2"
"""


@dataclass
class FromNode:
    """Clients on a node, as a unit of systemd; needs nothing but bash there. They go on without a connection to it.

    ``longest``: seconds after which they end by themselves, where that is more than `LONGEST`.
    """

    run: str
    rate: float
    node: Node
    longest: float = 0.0
    _offset: float = 0.0
    _stopped: list[Request] | None = None

    @property
    def place(self) -> str:
        """The node's name."""
        return self.node.name

    async def start(self, target: Target) -> None:
        """Begin to send."""
        # Its times are by its own clock.
        self._offset = (await clocks.difference(self.node)).seconds
        base = target.page("")
        words = [target.address, str(target.port), f"{TIMEOUT:g}", f"{1 / self.rate:.3f}", self.run, base, self._file]
        self._stopped = None
        await self.node.run(
            script(
                _START,
                self._unit,
                self._file,
                f"{max(LONGEST, self.longest):.0f}",
                *for_systemd(_SEND, *words),
                label=f"start {self._unit}",
            )
        )

    async def read(self) -> list[Request]:
        """The requests that have ended so far."""
        if self._stopped is not None:
            return self._stopped
        return self._shifted((await self.node.run(command("cat", self._file, reads=True))).stdout)

    async def stop(self) -> list[Request]:
        """Send no more, wait for those under way, and return all."""
        if self._stopped is None:
            said = await self.node.run(script(_STOP, self._unit, self._file, timeout=60, label=f"stop {self._unit}"))
            self._stopped = self._shifted(said.stdout)
        return self._stopped

    @property
    def _unit(self) -> str:
        return f"squid-ha-drill-clients-{self.run}.service"

    @property
    def _file(self) -> str:
        return f"/run/squid-ha/drill-{self.run}.tsv"

    def _shifted(self, text: str) -> list[Request]:
        # A line may be half written.
        whole = text[: text.rfind("\n") + 1]
        with told_by(self.node.name):
            sent = parse(whole)
        return [
            each.model_copy(update={"start": each.start - self._offset, "end": each.end - self._offset})
            for each in sent
        ]
