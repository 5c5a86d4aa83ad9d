"""Taking a resource away again, with its ties: only what this site made, and nothing of somebody else's with it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused, refuse_all
from providers.lifekeeper import grammar, speaking
from providers.lifekeeper.members import MADE, PENDING, read, ties, untie
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

    Raises `Refused`, before anything is written, while it depends on something that is not this site's, or that on it.
    """
    entries = {name: await cluster.journal(name).entries() for name in wanted.nodes}
    if not any(entries.values()):
        return
    made = resource and any(known.get(MADE) == "yes" for known in entries.values())
    seen = await read(cluster, wanted)
    holders = [name for name, view in seen.items() if wanted.tag in view.instances]
    # LifeKeeper deletes nothing that something depends on: from the top down.
    going = [tag for tag in (above, wanted.tag) if tag]
    ours = {name: _ours(wanted, name, known, seen, made=made) for name, known in entries.items()}
    if made and holders:
        _refuse_needed(wanted, seen, above)
        _refuse_needing(going, seen, ours)
        # Which of them says it is known when the ties are gone, and then it is too late to refuse.
        await speaking.check(cluster, [_deletion(name, tag) for name in holders for tag in going])
    await cluster.each(lambda node: cluster.journal(node).put({PENDING: wanted.tag}), list(wanted.nodes))
    told = await untie(cluster, wanted, ours)
    if made and holders:
        for tag in going:
            told |= await _delete(cluster, wanted, tag, going)
    if told or any(PENDING in known for known in entries.values()):
        await speaking.sync(cluster, wanted.nodes)
    if forget:
        await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))


def _ours(wanted: Member, name: str, known: Mapping[str, str], seen: Views, *, made: bool) -> list[str]:
    """What the resource is untied from on a node: what this site tied it to there and, where it is deleted, all of the
    service.

    An extension brings such a tie along to a node that was set up anew, and no journal tells of it; it would be gone
    with the resource in any case, and what it leads to with it.
    """
    below = {child for parent, child in seen[name].dependencies if parent == wanted.tag}
    return sorted({*ties(known), *(below & {*wanted.beside} if made else ())})


def _refuse_needing(going: Sequence[str], seen: Views, ours: Mapping[str, Collection[str]]) -> None:
    """A filesystem and its mirror go with what stands on them, and not of every kind do SIOS's manuals tell whether it
    stays. Dependencies on what goes itself, or on ``ours``, by node, are in nobody's way.
    """
    refusals: list[Refused] = []
    for name, view in seen.items():
        spared = {*going, *ours.get(name, ())}
        left = sorted(tie for tie in view.dependencies if tie[0] in going and tie[1] not in spared)
        if left:
            told = ", ".join(f"{parent} on {child}" for parent, child in left)
            lines = ", ".join(f"`{_untying(parent, child)}`" for parent, child in left)
            refusals.append(
                Refused(
                    "LifeKeeper may delete with a resource what it depends on, and these dependencies are not part of "
                    f"this declaration: {told}",
                    node=name,
                    remedy=f"delete them first: {lines}",
                )
            )
    refuse_all(refusals)


def _untying(parent: str, child: str) -> str:
    return shlex.join(grammar.build("dep_remove", parent=parent, child=child))


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


async def _delete(cluster: Cluster, wanted: Member, tag: str, going: Sequence[str]) -> bool:
    """``tag`` is of ``going``: the resource's own, or of what goes along. False where it went with what stood on it.

    A deletion reaches the other node only where the two know each other's: what a cut-off extension left goes next.
    """
    told = False
    for _ in wanted.nodes:
        seen = await read(cluster, wanted)
        holders = [name for name, view in seen.items() if tag in view.instances]
        if not holders:
            return told
        _refuse_needing(going, seen, {})
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
