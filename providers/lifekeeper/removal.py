"""Taking a resource away again, with its ties: only what this site made, and nothing that somebody else needs."""

from __future__ import annotations

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused
from providers.lifekeeper import speaking
from providers.lifekeeper.members import MADE, PENDING, read, untie
from providers.lifekeeper.resource import Member
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Views
from providers.lifekeeper.views import IN_SERVICE


async def remove(
    cluster: Cluster, wanted: Member, *, forget: bool = True, resource: bool = True, above: str = ""
) -> None:
    """Take back ties and, where this site made it, the resource: out of service, then deleted everywhere. Not
    ``forget``: the caller has more to take back, and empties the journal. Not ``resource``: ties only. ``above`` is a
    resource above it that goes along.

    Raises `Refused` while something that is not this site's depends on it.
    """
    entries = {name: await cluster.journal(name).entries() for name in wanted.nodes}
    if not any(entries.values()):
        return
    made = resource and any(known.get(MADE) == "yes" for known in entries.values())
    seen = await read(cluster, wanted)
    holders = [name for name, view in seen.items() if wanted.tag in view.instances]
    if made and holders:
        _refuse_needed(wanted, seen, above)
        await speaking.check(cluster, [_deletion(holders[0], tag) for tag in filter(None, (above, wanted.tag))])
    await cluster.each(lambda node: cluster.journal(node).put({PENDING: wanted.tag}), list(wanted.nodes))
    told = await untie(cluster, wanted, all_of_them=True)
    if made and holders:
        # LifeKeeper deletes nothing that something depends on: from the top down.
        for tag in filter(None, (above, wanted.tag)):
            told |= await _delete(cluster, wanted, tag)
    if told or any(PENDING in known for known in entries.values()):
        await speaking.sync(cluster, wanted.nodes)
    if forget:
        await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))


def _refuse_needed(wanted: Member, seen: Views, along: str) -> None:
    for name, view in seen.items():
        parents = {parent for parent, child in view.dependencies if child == wanted.tag and parent != along}
        above = sorted(parents | {parent for parent, child in view.dependencies if along and child == along})
        if above:
            raise Refused(
                f"{wanted.tag} is still needed by {', '.join(above)}",
                node=name,
                remedy="remove that dependency first; it is not part of this declaration",
            )


async def _delete(cluster: Cluster, wanted: Member, tag: str) -> bool:
    """``tag`` is the resource's own, or of what goes along; False where it went with what stood on it.

    A deletion reaches the other node only where the two know each other's: what a cut-off extension left goes next.
    """
    told = False
    for _ in wanted.nodes:
        seen = await read(cluster, wanted)
        holders = [name for name, view in seen.items() if tag in view.instances]
        if not holders:
            return told
        active = next((name for name in holders if seen[name].state(tag) in IN_SERVICE), None)
        delete = _deletion(active or holders[0], tag)
        await speaking.check(cluster, [delete])
        if active:
            values = {"tag": tag, "action": "remove"}
            await speaking.say(cluster, Line(active, "perform_action", f"Take {tag} out of service", values))
        await speaking.say(cluster, delete)
        told = True
    left = [name for name, view in (await read(cluster, wanted)).items() if tag in view.instances]
    if left:
        raise NotVerified(
            f"{tag} was deleted, and LifeKeeper's lists show it still",
            node=left[0],
            remedy="see /var/log/lifekeeper.log there, then run this again",
        )
    return told


def _deletion(node: str, tag: str) -> Line:
    return Line(node, "lkcli resource delete", f"Delete Resource: {tag}", {"tag": tag})
