"""Commands on the lab's hosts, from outside the tree, as user `ops`. For the lab's own needs and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from lab.control import connect
from lab.errors import LabError
from lab.paths import run_directory

LOGIN = "ops"


@dataclass(frozen=True)
class Result:
    """What a command on a host came to."""

    host: str
    command: str
    code: int
    out: str
    err: str

    def check(self) -> Result:
        """Itself; raises LabError unless the command succeeded."""
        if self.code != 0:
            last = " / ".join(self.err.strip().splitlines()[-3:])
            raise LabError(f"`{self.command}` on {self.host} ended with {self.code}: {last}")
        return self


class Shell:
    """One open connection to a host."""

    def __init__(self, host: str, connection: asyncssh.SSHClientConnection) -> None:
        self.host = host
        self._connection = connection

    async def run(self, command: str, *, input: str = "", timeout: float = 60.0) -> Result:
        """Run a shell command. Raises LabError when the host stops answering or the time (seconds) is over."""
        try:
            async with asyncio.timeout(timeout):
                done = await self._connection.run(command, input=input, check=False, errors="replace")
        except TimeoutError:
            raise LabError(f"`{command}` on {self.host} took longer than {timeout:g} s") from None
        except (OSError, asyncssh.Error) as error:
            raise LabError(f"the connection to {self.host} was lost during `{command}`: {error}") from error
        code = done.exit_status if done.exit_status is not None else 255
        return Result(self.host, command, code, str(done.stdout or ""), str(done.stderr or ""))

    async def sudo(self, script: str, *, timeout: float = 60.0) -> str:
        """Run a shell script as root and return its output; raises LabError also when it fails."""
        return (await self.run("sudo -n sh -e -s", input=script, timeout=timeout)).check().out


@asynccontextmanager
async def shell(host: str, *, timeout: float = 60.0) -> AsyncGenerator[Shell]:
    """Connect to a host, trying until its sshd answers. Raises LabError when it does not within `timeout` seconds."""
    connection = await _connect(host, timeout)
    try:
        yield Shell(host, connection)
    finally:
        connection.abort()


async def _connect(host: str, timeout: float) -> asyncssh.SSHClientConnection:
    directory = run_directory()
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        try:
            return await _attempt(host, directory, deadline - asyncio.get_running_loop().time())
        except (OSError, TimeoutError, asyncssh.ConnectionLost) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(
                    f"{host} did not answer over SSH within {timeout:g} s: {error or 'nothing came'}"
                ) from error
            await asyncio.sleep(0.1)
        except asyncssh.Error as error:
            raise LabError(f"{host} refused the connection: {error}") from error


async def _attempt(host: str, directory: Path, left: float) -> asyncssh.SSHClientConnection:
    async with asyncio.timeout(max(left, 0.1)):
        hosts = asyncssh.read_known_hosts(str(directory / "known_hosts"))

        def known(_name: str, _address: str, port: int | None) -> Sequence[object]:
            # A function, because asyncssh takes the name of a unix socket for an address and fails to read it.
            return hosts.match(host, "", port)

        socket = connect(directory / f"{host}.ssh", timeout=5.0)
        socket.settimeout(0)
        return await asyncssh.connect(
            host, sock=socket, username=LOGIN, config=None, agent_path=None,
            client_keys=[str(directory / "id_ed25519")], known_hosts=known, connect_timeout=max(left, 0.1),
        )  # fmt: skip


async def sudo(host: str, script: str, *, timeout: float = 60.0) -> str:
    """Run one shell script as root on a host; see `Shell.sudo`."""
    async with shell(host) as connection:
        return await connection.sudo(script, timeout=timeout)
