"""The two hosts of a lab, containers or machines, and the ways to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.addresses import NODES
from lab.shell import Result, shell


@dataclass(frozen=True)
class Pair:
    """Two hosts of a lab, as the tests and the product reach them."""

    directory: Path
    """The lab's run directory."""
    names: tuple[str, ...] = NODES

    @property
    def identity(self) -> Path:
        """Private key of user `ops`."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys of both, by name."""
        return self.directory / "known_hosts"

    def proxy_command(self, name: str) -> str:
        """The ProxyCommand that reaches a host from outside its network."""
        return f"socat - UNIX-CONNECT:{self.directory}/{name}.ssh"

    async def run(self, name: str, command: str, timeout: float = 60.0) -> Result:
        """Run a shell command as `ops`."""
        async with shell(name) as connection:
            return await connection.run(command, timeout=timeout)

    async def sudo(self, name: str, script: str, timeout: float = 120.0) -> str:
        """Run a script as root; raises LabError when it fails."""
        async with shell(name) as connection:
            return await connection.sudo(script, timeout=timeout)
