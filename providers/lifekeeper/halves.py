"""The mirror's halves: DataKeeper's mirror is an md device (its manuals), read where it is."""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import HostError, Refused
from providers.lifekeeper import mirror_view, views
from providers.lifekeeper.hierarchy import partners, service, squid
from providers.lifekeeper.views import ALIVE, IN_SERVICE, Instance, View
from providers.roles import MirrorView

_MDSTAT = 'cat /proc/mdstat; echo; findmnt -rno SOURCE --mountpoint "$1"'


async def mirror(cluster: Cluster) -> Mapping[str, MirrorView]:
    """Each node's view of it: DataKeeper's mirror is an md device of two halves (its manuals), read where it is."""

    async def look(node: Node) -> MirrorView:
        try:
            view = (await views.read(cluster, [node.name]))[node.name]
            if not view.running:
                return MirrorView(trouble="LifeKeeper does not run")
            found = volume(node.name, view)
            if found is None:
                return MirrorView()
            return mirror_view.unless_unheard(await _half(node, *found), _unheard(cluster, node, view, found[1].tag))
        except HostError as error:
            return MirrorView(trouble=error.message.splitlines()[0])

    return mirror_view.seen_from_both(await cluster.each(look))


def _unheard(cluster: Cluster, node: Node, view: View, tag: str) -> list[str]:
    """The nodes with the other half that LifeKeeper has no living path to, as this node tells; also one that is
    declared away."""
    sharing = partners(view, [tag]) | set(cluster.nodes)
    return [name for name in sorted(sharing - {node.name}) if view.machines.get(name) != ALIVE]


async def _half(node: Node, filesystem: Instance | None, half: Instance) -> MirrorView:
    if half.state not in IN_SERVICE:
        # Only the source knows how far its target is.
        return MirrorView("target", connection=half.state, data="Target", peer_data="-")
    mount = filesystem.id if filesystem else ""
    answer = await node.run(script(_MDSTAT, mount, ok=None, reads=True, label="read the mirror's state"))
    return mirror_view.parse_mdstat(answer.stdout)


def volume(name: str, view: View) -> tuple[Instance | None, Instance] | None:
    """The filesystem of the service on node ``name`` and the mirror that it lies on; None where there is no mirror.

    Of several, the one that Squid needs itself, as every site has it. Raises `Unknown` as `hierarchy.service` does, and
    `Refused` where that does not tell which one is meant.
    """
    members = service({name: view})
    mirrors = [tag for tag in members if view.instances[tag].type == "netraid"]
    if not mirrors:
        return None
    lying = [
        (over, under)
        for over, under in sorted(view.dependencies)
        if over in members and under in mirrors and view.instances[over].type == "filesys"
    ]
    if len(mirrors) == 1 and not lying:
        return None, view.instances[mirrors[0]]
    needed = [each for each in lying if (squid({name: view}), each[0]) in view.dependencies]
    chosen = needed or lying
    if len(chosen) != 1:
        raise Refused(
            f"the service stands on {' and '.join(mirrors)}, and nobody can tell which of these mirrors is this site's",
            node=name,
            remedy="see `lcdstatus`: Squid's resource may depend on one filesystem only that lies on a mirror; or move "
            "this hierarchy by LifeKeeper's own `perform_action`, once all its mirrors are the same on both nodes",
        )
    filesystem, half = chosen[0]
    return view.instances[filesystem], view.instances[half]
