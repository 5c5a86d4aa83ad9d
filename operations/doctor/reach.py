"""Whether a node is reached by SSH and root by sudo, and if not, at which step it ends."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from operations.doctor.model import Finding
from providers.connection.cluster import Node
from providers.connection.command import command
from providers.connection.errors import HostError, HostKeyRefused, LoginRefused, SudoRefused

NAME = "ssh"


@dataclass(frozen=True)
class Reached:
    """The finding about the way to a node, and whether it can be asked anything else."""

    connected: bool
    finding: Finding


async def reach(node: Node) -> Reached:
    """Connect, become root, run nothing that changes anything."""
    try:
        await node.run(command("true", reads=True))
    except HostError as error:
        step, remedy = _step(error)
        sentence = f"{step}: {error.message}"
        finding = Finding(
            check=NAME, where=node.name, level="problem", sentence=sentence, remedy=error.remedy or remedy
        )
        return Reached(connected=False, finding=finding)
    sentence = "SSH reaches it, its host key is known, and root is reached"
    return Reached(connected=True, finding=Finding(check=NAME, where=node.name, level="ok", sentence=sentence))


def lost(node: Node, error: HostError) -> Reached:
    """A node that was reached and then told nothing more: it went down, or its connection broke."""
    return Reached(
        connected=False,
        finding=Finding(
            check=NAME,
            where=node.name,
            level="problem",
            sentence=f"it was reached, and then could not be asked: {error.message}",
            remedy=error.remedy or "see that the node stays up and reachable, then run this again",
        ),
    )


def _step(error: HostError) -> tuple[str, str]:
    """Where the way ends, in words, and what to look at if the error itself does not say."""
    if isinstance(error, HostKeyRefused):
        changed = "is not the one in" in error.message
        return ("host key changed" if changed else "host key unknown"), "accept the node's host key"
    if isinstance(error, LoginRefused):
        return "login refused", "check `ssh.user` and `ssh.identity`"
    if isinstance(error, SudoRefused):
        return "sudo refused", "give the user sudo, or name `ssh.sudo_password`"
    return _network(error.__cause__), "check the node's address and that its SSH server runs"


def _network(cause: BaseException | None) -> str:
    if isinstance(cause, socket.gaierror):
        return "name not found"
    if isinstance(cause, ConnectionRefusedError):
        return "port closed"
    if isinstance(cause, TimeoutError):
        return "no answer"
    return "no connection"
