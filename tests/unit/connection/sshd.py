"""An SSH server in this process that runs commands with the local shell."""

import asyncio
import contextlib
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED

from providers.connection.access import ConnectionSettings


class Session(asyncssh.SSHServer):
    sshd: "Sshd"

    def connection_made(self, conn):
        self.asked = 0
        self.sshd.connections.append(conn)

    async def begin_auth(self, username):
        await asyncio.sleep(self.sshd.delay)
        return True

    def session_requested(self):
        self.asked += 1
        if self.asked > self.sshd.sessions:
            return False
        return asyncssh.SSHServerProcess(self.sshd.serve, None, 3, False)

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        if not self.sshd.forwards:
            raise asyncssh.ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        self.sshd.forwarded.append(dest_port)
        return True


@dataclass
class Sshd:
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    connections: list = field(default_factory=list)
    children: list = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    forwarded: list[int] = field(default_factory=list)
    forwards: bool = True
    """By no, it refuses as sshd does by AllowTcpForwarding."""
    sessions: int = 100
    """More on one connection are refused, as by sshd's MaxSessions where none of them ends."""
    delay: float = 0.0
    """Seconds before it lets anybody in."""
    port: int = 0
    listener: asyncssh.SSHAcceptor | None = None
    host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    user_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))

    async def start(self):
        self.user_key.write_private_key(str(self.folder / "id"))
        self.user_key.write_public_key(str(self.folder / "id.pub"))
        server = type("Server", (Session,), {"sshd": self})
        self.listener = await asyncssh.create_server(
            server,
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=str(self.folder / "id.pub"),
            encoding=None,
            reuse_address=True,
        )
        self.port = self.listener.get_port()

    async def stop(self):
        for connection in self.connections:
            connection.abort()
        if self.listener is not None:
            self.listener.close()
            await self.listener.wait_closed()
        for child in self.children:
            if child.returncode is None:
                child.kill()
            await child.wait()
            child._transport.close()
        self.children.clear()
        await asyncio.sleep(0)

    async def serve(self, process):
        self.lines.append(process.command)
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, **self.environment}
        local = await asyncio.create_subprocess_exec(
            "sh", "-c", process.command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        self.children.append(local)
        feeding = asyncio.create_task(self.feed(process, local))
        await asyncio.gather(self.copy(local.stdout, process.stdout), self.copy(local.stderr, process.stderr))
        code = await local.wait()
        feeding.cancel()
        process.exit(code)

    async def feed(self, process, local):
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await process.stdin.read(65536):
                local.stdin.write(data)
                await local.stdin.drain()
        local.stdin.close()

    async def copy(self, source, target):
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await source.read(65536):
                target.write(data)

    def trust(self):
        public = self.host_key.export_public_key("openssh").decode()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")

    def settings(self, **changes) -> ConnectionSettings:
        usual = ConnectionSettings(
            name="qsp-a",
            address="127.0.0.1",
            port=self.port,
            identity=str(self.folder / "id"),
            known_hosts=str(self.folder / "known_hosts"),
            connect_budget=0.0,
            connect_timeout=5.0,
        )
        return replace(usual, **changes)


@asynccontextmanager
async def running(folder: Path, **environment):
    sshd = Sshd(folder, environment)
    await sshd.start()
    sshd.trust()
    try:
        yield sshd
    finally:
        await sshd.stop()
