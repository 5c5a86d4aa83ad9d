"""Starting one node without the other, which a person says is off: what can be checked of that is."""

from __future__ import annotations

from declaration.site import Site
from operations.engines import engine_of
from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import HostError, HostKeyRefused, LoginRefused, Refused, Unreachable


async def refuse_peer(cluster: Cluster, node: str) -> None:
    """Raises `Refused` where the other node answers over SSH: then it is not off."""
    for name, peer in cluster.nodes.items():
        if name == node:
            continue
        try:
            await peer.run(command("true", reads=True, timeout=15))
        except (HostKeyRefused, LoginRefused) as error:
            raise Refused(
                f"{name} answers over SSH, so it is not off, although it lets nobody in from here ({error.message})",
                node=node,
                remedy=error.remedy,
            ) from error
        except Unreachable:
            continue
        except HostError as error:
            raise Refused(f"{name} answers over SSH, so it is not off ({error.message})", node=node) from error
        raise Refused(
            f"{name} answers over SSH, so it is not off",
            node=node,
            remedy=f"start the engine on it as well, or switch {name} off; a service that runs on both would write "
            "to both halves of the mirror",
        )


async def start_alone(cluster: Cluster, site: Site, node: str, everybody: Cluster) -> None:
    """Start the service on ``node`` alone. Raises `Refused` where the other node can be seen in any way.

    ``everybody`` has the nodes that are declared away too, which ``cluster`` leaves out.
    """
    await refuse_peer(everybody, node)
    await engine_of(site).runtime.start_alone(cluster, node)
