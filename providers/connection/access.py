"""How a node is reached: one plain value per node, made from the site's declaration, never an input of a resource."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class ConnectionSettings:
    """How to reach one node by SSH.

    ``identity``: private key file; '' takes the agent and the user's usual keys. ``known_hosts``: '' takes the
    user's own file. ``proxy_jump``: ``[user@]host[:port]``, several by comma. ``proxy_command``: a command whose
    standard streams lead to the node's SSH port; ``%n`` is the node's name, ``%h`` the address, ``%p`` the port,
    ``%r`` the user. ``sudo_password`` is sent by standard input only. ``connect_timeout`` in seconds for one attempt,
    ``connect_budget`` in seconds for all attempts together.
    """

    name: str
    address: str
    port: int = 22
    user: str = "root"
    identity: str = ""
    known_hosts: str = ""
    proxy_jump: str = ""
    proxy_command: str = ""
    sudo_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    connect_budget: float = 30.0

    @property
    def known_hosts_path(self) -> Path:
        """The file in which the node's host key must stand."""
        return Path(self.known_hosts).expanduser() if self.known_hosts else Path.home() / ".ssh" / "known_hosts"

    def proxy_argv(self) -> list[str]:
        """The proxy command split into words, then filled in, so that no value can add words of its own."""
        values = {"%n": self.name, "%h": self.address, "%p": str(self.port), "%r": self.user, "%%": "%"}
        return [_fill(word, values) for word in shlex.split(self.proxy_command)]

    def jumps(self) -> list[ConnectionSettings]:
        """The hosts to go through, in order, reached with the same key, known hosts and timeouts."""
        return [self._jump(text.strip()) for text in self.proxy_jump.split(",") if text.strip()]

    def _jump(self, text: str) -> ConnectionSettings:
        user, _, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdigit():
            host, port = place, "22"
        return replace(
            self,
            address=host.strip("[]"),
            port=int(port),
            user=user or self.user,
            # What leads to the node, and what makes one root there, is nothing to a host on the way.
            proxy_jump="",
            proxy_command="",
            sudo_password=None,
        )


def _fill(word: str, values: dict[str, str]) -> str:
    filled, rest = "", word
    while rest:
        if rest[:2] in values:
            filled, rest = filled + values[rest[:2]], rest[2:]
        else:
            filled, rest = filled + rest[0], rest[1:]
    return filled
