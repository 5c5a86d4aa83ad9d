"""The mirror's halves: DataKeeper's mirror is an md device (its manuals), read where it is."""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import HostError
from providers.lifekeeper import mirror_view, views
from providers.lifekeeper.hierarchy import service
from providers.lifekeeper.views import IN_SERVICE, View
from providers.roles import MirrorView

_MDSTAT = 'cat /proc/mdstat; echo; findmnt -rno SOURCE --mountpoint "$1"'


async def mirror(cluster: Cluster) -> Mapping[str, MirrorView]:
    """Each node's view of it: DataKeeper's mirror is an md device of two halves (its manuals), read where it is."""

    async def look(node: Node) -> MirrorView:
        try:
            view = (await views.read(cluster, [node.name]))[node.name]
            return await _half(node, view)
        except HostError as error:
            return MirrorView(trouble=str(error).splitlines()[0])

    return mirror_view.seen_from_both(await cluster.each(look))


async def _half(node: Node, view: View) -> MirrorView:
    if not view.running:
        return MirrorView(trouble=f"{node.name}: LifeKeeper does not run")
    members = [view.instances[tag] for tag in service({node.name: view}) if tag in view.instances]
    mount = next((each.id for each in members if each.type == "filesys"), "")
    state = next((each.state for each in members if each.type == "netraid"), "")
    if not state:
        return MirrorView()
    if state not in IN_SERVICE:
        # Only the source knows how far its target is.
        return MirrorView("target", connection=state, data="Target", peer_data="-")
    answer = await node.run(script(_MDSTAT, mount, ok=None, reads=True, label="read the mirror's state"))
    return mirror_view.parse_mdstat(answer.stdout)
