"""Whether LifeKeeper checks its resources on a node; `providers.lifekeeper.pause` pauses it."""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Unreachable
from providers.connection.files import read_files
from providers.connection.together import both
from providers.host.foreign_file import text_of
from providers.lifekeeper import defaults
from providers.lifekeeper.pause import MARK, PAUSED, is_paused


async def paused(cluster: Cluster) -> Mapping[str, str]:
    """Node → why nothing is checked there; without those that are not reached, of which other readings say so."""

    async def look(node: Node) -> str | None:
        try:
            # At once, so that a reader of many things asks for both along with these.
            read, noted = await both(read_files(node, [defaults.PATH]), cluster.journal(node).elsewhere([MARK]))
        except Unreachable:
            return None
        text = text_of(read[defaults.PATH].content)
        if not is_paused(text):
            return None
        if any(before != PAUSED for before in noted.get(MARK, ())):
            return "packages are changing, or a change of them was cut off; the next `pulumi up` sets the interval back"
        return f"somebody has set {defaults.INTERVAL}={PAUSED} in {defaults.PATH}, where it can be set back"

    told = await cluster.each(look)
    return {name: why for name, why in told.items() if why is not None}
