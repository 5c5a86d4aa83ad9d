"""Starting one node without the other, which a person says is off: what can be checked of that is."""

from __future__ import annotations

from declaration.site import Site
from operations.engines import engine_of
from providers.connection.afresh import answers_afresh
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, Refused, Unknown, Unreachable


async def refuse_peer(cluster: Cluster, node: str) -> None:
    """Raises `Refused` where the other node answers over SSH: then it is not off. `Unknown` where it was not asked."""
    for name, peer in cluster.nodes.items():
        if name == node:
            continue
        try:
            # That it was silent a moment ago is not enough.
            await answers_afresh(peer)
        except Unreachable as error:
            _refuse_unreached(name, error, node)
            continue
        except HostError as error:
            raise Refused(f"{name} answers over SSH, so it is not off ({error.message})", node=node) from error
        raise Refused(
            f"{name} answers over SSH, so it is not off",
            node=node,
            remedy=f"start the engine on it as well, or switch {name} off; a service that runs on both would write "
            "to both halves of the mirror",
        )


def _refuse_unreached(name: str, error: Unreachable, node: str) -> None:
    """Raises unless the node called so was asked, and nothing of it answered."""
    if error.answered is None:
        raise Unknown(
            f"nobody can tell whether {name} is off, as it could not even be asked ({error.message})",
            node=node,
            remedy=error.remedy,
        ) from error
    if error.answered:
        raise Refused(
            f"{name} answers, so it is not off, although it lets nobody in from here ({error.message})",
            node=node,
            remedy=error.remedy,
        ) from error


async def start_alone(cluster: Cluster, site: Site, node: str, everybody: Cluster) -> None:
    """Start the service on ``node`` alone. Raises `Refused` where the other node can be seen in any way.

    ``everybody`` has the nodes that are declared away too, which ``cluster`` leaves out.
    """
    await refuse_peer(everybody, node)
    await engine_of(site).runtime.start_alone(cluster, node)
