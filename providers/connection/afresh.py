"""Whether a node still lets somebody in who was not connected before."""

from __future__ import annotations

from providers.connection.cluster import Node
from providers.connection.command import command
from providers.connection.ssh import SshNode

_ASK = command("true", reads=True, timeout=10, label="connect anew")


async def answers_afresh(node: Node) -> None:
    """Connect anew, log in, become root, and leave the shared connection as it is. Raises `HostError`.

    A node that is not reached by SSH (in tests) is asked as it is.
    """
    if not isinstance(node, SshNode):
        await node.run(_ASK)
        return
    other = SshNode(node.settings)
    try:
        await other.run(_ASK)
    finally:
        await other.close()
