"""What LifeKeeper's nodes tell now, those left out that cannot."""

from __future__ import annotations

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Unknown
from providers.lifekeeper import views
from providers.lifekeeper.views import View


class Stopped(Unknown):
    """LifeKeeper is stopped on every node; what it protects may run on, as in maintenance mode."""


async def read(cluster: Cluster) -> dict[str, View]:
    """The nodes that can tell. Raises `Unknown` where none can, `Stopped` where that is why.

    Raises `Contradicting` where one tells what cannot be: it runs, and is not to be taken for one that does not.
    """

    async def look(node: Node) -> View | None:
        try:
            return (await views.read(cluster, [node.name]))[node.name]
        except views.Contradicting:
            raise
        except HostError:
            return None

    told = await cluster.each(look)
    seen = {name: view for name, view in told.items() if view is not None and view.running}
    if not seen and all(view is not None and view.installed for view in told.values()):
        raise Stopped(
            "LifeKeeper is stopped on all nodes, as in maintenance mode: nothing is started, stopped or moved",
            remedy="`squid-ha maintenance off` starts it",
        )
    if not seen:
        raise Unknown("LifeKeeper answers on no node", remedy="see `lkcli start` and /var/log/lifekeeper.log")
    return seen
