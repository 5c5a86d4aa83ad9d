"""Communication paths: heartbeats over each of them, and requests to the other system over the best one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lab.lifekeeper.node import PORT
from lab.lifekeeper.node.lcd import CommPath, Lcd
from lab.lifekeeper.node.lists import CommPathKey, key
from lab.lifekeeper.node.settings import number
from lab.lifekeeper.node.shell import Failed

Message = dict[str, Any]
Handler = Callable[[str, str, Message], Awaitable[Message]]
log = logging.getLogger("links")
_MOST = 4 * 1024 * 1024
_CONNECT = 5
"""Seconds that a connection may take."""


class Links:
    """The paths of one system. A path is ALIVE while both sides have it and heartbeats come through.

    ``told`` is what each heartbeat carries; ``heard`` what came with the last of each system. ``gone`` and ``back``
    are called when the last path to a system dies and when the first one lives again.
    """

    def __init__(self, lcd: Lcd, handler: Handler, told: Callable[[], Message]) -> None:
        self._lcd, self._handler, self._told = lcd, handler, told
        self._last: dict[CommPathKey, float] = {}
        self._was: dict[CommPathKey, bool] = {}
        self._alive: dict[str, bool] = {}
        self._wake = asyncio.Event()
        self.heard: dict[str, Message] = {}
        self.events: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def state(self, path: CommPath) -> str:
        """ALIVE or DEAD."""
        limit = number("LCMHBEATTIME") * max(2, number("LCMNUMHBEATS"))
        return "ALIVE" if time.monotonic() - self._last.get(key(path), -1e9) < limit else "DEAD"

    def states(self) -> dict[CommPathKey, str]:
        """Of all paths."""
        return {key(path): self.state(path) for path in self._lcd.paths}

    def alive(self, system: str) -> bool:
        """Whether any path to it is alive."""
        return any(self.state(path) == "ALIVE" for path in self._lcd.paths if path.system == system)

    def peers(self) -> dict[str, bool]:
        """Every other system, and whether it is alive."""
        return {system: self.alive(system) for system in self._lcd.systems}

    def changed(self) -> None:
        """Paths were added or removed, or what we tell: beat now."""
        self._wake.set()

    async def serve(self) -> None:
        """Answer the others, and beat, for ever."""
        server = await asyncio.start_server(self._serve, "0.0.0.0", PORT, limit=_MOST, reuse_address=True)  # noqa: S104
        async with server:
            while True:
                begun = time.monotonic()
                await asyncio.gather(*(self._beat(path) for path in list(self._lcd.paths)))
                self._look()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(number("LCMHBEATTIME")):
                        await self._wake.wait()
                _tell_late(time.monotonic() - begun)

    def _look(self) -> None:
        for path in self._lcd.paths:
            lives = self.state(path) == "ALIVE"
            if self._was.get(key(path)) is True and not lives:
                path.downs += 1
            if self._was.get(key(path)) is not lives:
                log.info("path %s/%s to %s is %s", path.local, path.remote, path.system, self.state(path))
            self._was[key(path)] = lives
        for system, lives in self.peers().items():
            if self._alive.get(system, False) != lives:
                self.events.put_nowait(("back" if lives else "gone", system))
            self._alive[system] = lives

    async def _beat(self, path: CommPath) -> None:
        if path.type != "TCP":
            return
        said = {"op": "beat", "from": self._lcd.name, "local": path.local, "remote": path.remote, "told": self._told()}
        try:
            answer = await _ask(path, said, number("LCMHBEATTIME"))
        except (OSError, TimeoutError, ValueError):
            return
        if answer.get("known"):
            self._last[key(path)] = time.monotonic()
            self.heard[path.system] = answer["told"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            message: Message = json.loads(await reader.readline())
            writer.write(json.dumps(await self._answer(message)).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, message: Message) -> Message:
        sender = message["from"]
        if message["op"] == "beat":
            for path in self._lcd.paths:
                if (path.system, path.local, path.remote) == (sender, message["remote"], message["local"]):
                    self._last[key(path)] = time.monotonic()
                    self.heard[sender] = message["told"]
                    return {"known": True, "told": self._told()}
            return {"known": False}
        if sender not in self._lcd.systems:
            return {"code": 9, "text": f"{sender} is not known on {self._lcd.name}"}
        try:
            return await self._handler(sender, message["op"], message["values"])
        except Failed as failure:
            return {"code": failure.code, "text": str(failure)}

    async def call(self, system: str, op: str, /, **values: Any) -> Message:  # noqa: ANN401 - it becomes JSON
        """Have another system do something. Raises `Failed`, with 9 when it does not answer."""
        said = {"op": op, "from": self._lcd.name, "values": values}
        for path in sorted(self._lcd.paths, key=lambda each: each.priority):
            if path.system != system or self.state(path) != "ALIVE":
                continue
            try:
                answer = await _ask(path, said, 900)
            except (ConnectionRefusedError, TimeoutError):
                continue
            except (OSError, ValueError):
                break
            if answer.get("code"):
                raise Failed(answer["code"], answer["text"])
            return answer
        raise Failed(9, f'Communication failure: destination system "{system}" is out of service.')


def _tell_late(seconds: float) -> None:
    """A system that stands still for a while looks dead to the others: then its own log says why they took over."""
    # A connection, a beat that nobody answers and the pause after it take an interval each at most.
    if seconds > 1 + 3 * number("LCMHBEATTIME"):
        log.warning("this system stood still: a round of heartbeats took %.0f s", seconds)


async def _ask(path: CommPath, said: Message, seconds: float) -> Message:
    async with asyncio.timeout(min(seconds, _CONNECT)):
        reader, writer = await asyncio.open_connection(path.remote, PORT, local_addr=(path.local, 0), limit=_MOST)
    try:
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
        async with asyncio.timeout(seconds):
            return json.loads(await reader.readline())
    finally:
        writer.close()
