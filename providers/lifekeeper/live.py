"""What LifeKeeper's nodes tell now, those left out that cannot."""

from __future__ import annotations

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Unknown, in_a_line
from providers.lifekeeper import views
from providers.lifekeeper.views import View


class Stopped(Unknown):
    """LifeKeeper is stopped on every node; what it protects may run on, as in maintenance mode."""


async def read(cluster: Cluster) -> dict[str, View]:
    """The nodes that can tell. Raises `Unknown` with each one's reason where none can, `Stopped` where that is why.

    Raises `Contradicting` where one tells what cannot be: it runs, and is not to be taken for one that does not.
    """

    async def look(node: Node) -> View | str:
        try:
            return (await views.read(cluster, [node.name]))[node.name]
        except views.Contradicting:
            raise
        except HostError as error:
            return in_a_line(error, node.name)

    told = await cluster.each(look)
    seen = {name: view for name, view in told.items() if isinstance(view, View) and view.running}
    if not seen and all(isinstance(view, View) and view.installed for view in told.values()):
        raise Stopped(
            "LifeKeeper is stopped on all nodes, as in maintenance mode: nothing is started, stopped or moved",
            remedy="`squid-ha maintenance off` starts it",
        )
    if not seen:
        stopped = any(isinstance(view, View) for view in told.values())
        raise Unknown(
            "LifeKeeper answers on no node: " + "; ".join(_why(name, view) for name, view in told.items()),
            # Why a node could not be asked says itself what to do.
            remedy="see `lkcli start` and /var/log/lifekeeper.log" if stopped else "",
        )
    return seen


async def so_far(cluster: Cluster) -> dict[str, View]:
    """The same while LifeKeeper comes up or changes its hierarchy: none where nobody can tell yet."""
    try:
        return await read(cluster)
    except Unknown:
        return {}


def _why(name: str, told: View | str) -> str:
    """Why this node cannot tell, in a line."""
    if isinstance(told, str):
        return f"{name}: {told}"
    return f"{name}: LifeKeeper {'does not run' if told.installed else 'is not installed'}"
