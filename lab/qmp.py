"""The QEMU Machine Protocol: commands to a running QEMU over its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lab.errors import LabError


class Monitor:
    """One connection to a QEMU, past its greeting."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._reader = reader
        self._writer = writer

    async def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401  JSON
        """Run one command and return its answer; events in between are passed over. Raises LabError when refused."""
        self._writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        await self._writer.drain()
        while True:
            message = await self._receive()
            if "error" in message:
                raise LabError(f"QEMU of {self._name} refused `{command}`: {message['error'].get('desc')}")
            if "return" in message:
                return message["return"]

    async def migrated(self, timeout: float = 60.0) -> None:
        """Wait until the migration under way (out to a file, or in from one) is over. Raises LabError if it fails."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            state = await self.execute("query-migrate")
            if state.get("status") == "completed":
                return
            if state.get("status") in ("failed", "cancelled"):
                raise LabError(f"the memory of {self._name} was not moved: {state.get('error-desc', state['status'])}")
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"the memory of {self._name} was not moved within {timeout:g} s: {state}")
            await asyncio.sleep(0.02)

    async def _receive(self) -> dict[str, Any]:
        line = await self._reader.readline()
        if not line:
            raise LabError(f"QEMU of {self._name} ended; see .lab/run/{self._name}.qemu.log")
        return json.loads(line)

    async def greet(self) -> None:
        """Read the greeting and leave negotiation mode."""
        await self._receive()
        await self.execute("qmp_capabilities")


@asynccontextmanager
async def monitor(name: str, path: Path, timeout: float = 10.0) -> AsyncGenerator[Monitor]:
    """Connect to the QEMU of host `name`. Raises LabError when it does not answer within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await _connect(path)
            connection = Monitor(name, reader, writer)
            await connection.greet()
    except TimeoutError:
        raise LabError(f"QEMU of {name} does not answer; see .lab/run/{name}.qemu.log") from None
    try:
        yield connection
    finally:
        writer.close()


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_unix_connection(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0.02)  # QEMU makes the socket a moment after it starts
