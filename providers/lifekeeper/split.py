"""Split brain: the mirror is in service on both nodes, so each half has been written without the other one.

How it is ended SIOS published as no procedure, only its parts: `perform_action` takes resources out of service on one
node, and `mirror_action TAG fullresync SOURCE TARGET` copies everything from the other one. Whether DataKeeper begins
to copy by itself once one half is out of service, and then knows what that half has written, nobody published; after a
copy of everything nothing of it is left in any case. So the victim bears a mark from before its half leaves service
until all of it is being copied: a run that is cut off in between is noticed, and run again goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import HostError, NotVerified, Refused, TimedOut
from providers.host.waiting import until
from providers.lifekeeper import grammar, live, speaking, views
from providers.lifekeeper.halves import mirror, volume
from providers.lifekeeper.hierarchy import roots, service
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import ALIVE, IN_SERVICE, View
from providers.roles import SplitBrain
from providers.storage import marks, rescue

RESYNC_LIMIT = 120.0
"""Seconds from asking for the copy to seeing it under way."""
_OWED = "split brain: to be overwritten from"

Seen = Mapping[str, View]

# $1 new folder: what was saved there last, before this half was given up; its files are shared, not copied.
_SAVED_BEFORE = r"""
set -eu
[ ! -d "$1" ] || exit 0
last=$(ls -d "${1%/*}"/*/ 2>/dev/null | grep -v '[.]part/$' | tail -n 1)
[ -n "$last" ] || { echo "nothing was saved below ${1%/*} before this half was given up" >&2; exit 1; }
rm -rf "$1.part"
cp -al -- "${last%/}" "$1.part"
mv -T -- "$1.part" "$1"
"""


@dataclass(frozen=True)
class _End:
    """What a way to the end consists of: ``over`` are the members that stand on the filesystem, the top first."""

    victim: str
    survivor: str
    members: Sequence[str]
    mirrors: Sequence[str]
    over: Sequence[str]
    roots: Sequence[str]

    @property
    def rest(self) -> list[str]:
        """The other members, the top first."""
        return [tag for tag in reversed(self.members) if tag not in self.over]


async def split_brain(cluster: Cluster) -> SplitBrain | None:
    """Whether the mirror is in service on both nodes, or the end of that was cut off."""
    seen = await live.read(cluster)
    found = apart(seen)
    if found:
        return SplitBrain({name: f"{' and '.join(found)}: in service here" for name in sources(seen, found[0])})
    for victim, survivor in (await _owed(cluster, seen)).items():
        given_up = f"given up by a run that was cut off: still to be overwritten from {survivor}"
        return SplitBrain({victim: given_up, survivor: "in service here"})
    return None


def apart(seen: Seen) -> list[str]:
    """The service's mirrors that are in service on more than one node."""
    return [tag for tag in _mirrors(seen) if len(sources(seen, tag)) > 1]


def _mirrors(seen: Seen) -> list[str]:
    kinds = {tag: each.type for view in seen.values() for tag, each in view.instances.items()}
    return [tag for tag in service(seen) if kinds[tag] == "netraid"]


def sources(seen: Seen, tag: str) -> list[str]:
    """The nodes on which it is in service."""
    return [name for name, view in seen.items() if view.state(tag) in IN_SERVICE]


async def _owed(cluster: Cluster, seen: Seen) -> dict[str, str]:
    """Victim → survivor, of an end that was cut off; a victim that is the only source by now is none any more."""
    found: dict[str, str] = {}
    for name in seen:
        survivor = (await marks.kept(cluster, cluster.node(name)).entries()).get(_OWED)
        if survivor and any(sources(seen, tag) == [survivor] for tag in _mirrors(seen)):
            found[name] = survivor
    return found


async def unfinished(cluster: Cluster, seen: Seen) -> dict[str, str]:
    """Victim → survivor, of an end that was cut off; nothing where that cannot be read."""
    try:
        return await _owed(cluster, seen)
    except HostError:
        return {}


async def refuse_victim(cluster: Cluster, seen: Seen, to: str) -> None:
    """Raises `Refused` where ``to`` has data that a person has given up and that is not overwritten yet."""
    survivor = (await _owed(cluster, seen)).get(to)
    if survivor:
        raise Refused(
            f"its half of the mirror was given up, and is not overwritten yet from {survivor}",
            node=to,
            remedy=f"`squid-ha resolve split-brain STACK --victim {to}` ends what was cut off",
        )


# The logs


async def save_logs(cluster: Cluster, name: str, source: str, to: str) -> None:
    """Copy the folder ``source`` of this node's own half, mounted or not, to a new one on the node's own disk.

    The half of a victim that was given up already may be overwritten in part: what was saved before that counts.
    """
    node = cluster.node(name)
    view = (await views.read(cluster, [name]))[name]
    filesystem, half = volume(name, view) or (None, None)
    if filesystem is None or half is None:
        raise Refused("the service has no filesystem on a mirror here, so there are no logs to save", node=name)
    if half.state not in IN_SERVICE and _OWED in await marks.kept(cluster, node).entries():
        await node.run(script(_SAVED_BEFORE, to, timeout=rescue.LIMIT, label=f"keep what was saved before in {to}"))
        return
    await rescue.copy(node, filesystem.id, source, to, ("printf", "%s", half.id))


# Ending it


async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
    """Throw away what only ``victim`` has, and wait until all of it is being copied from the other node.

    What stands on the victim's filesystem leaves it first, and ``left`` is awaited while the filesystem is still there.
    At the end the service is in service on the other node. Cut off and run again it goes on. Raises `Refused` before
    anything is changed, `NotVerified`, `TimedOut`.
    """
    seen = await live.read(cluster)
    end = await _planned(cluster, seen, victim)
    served = [tag for tag in end.over if seen[victim].state(tag) in IN_SERVICE]
    if served:
        cluster.progress(f"Taking {', '.join(served)} out of service on {victim}")
        await _take_out(cluster, victim, end.over)
        await left()
    # From here on the half counts as given up, and no other.
    await marks.kept(cluster, cluster.node(end.survivor)).drop([_OWED])
    await marks.kept(cluster, cluster.node(victim)).put({_OWED: end.survivor})
    await _take_out(cluster, victim, end.rest)
    for tag in end.mirrors:
        await speaking.say(cluster, _copy_all(tag, end))
    await _wait(cluster, end)
    await marks.kept(cluster, cluster.node(victim)).drop([_OWED])
    await _serve(cluster, end)


def _copy_all(tag: str, end: _End) -> Line:
    values = {"tag": tag, "action": "fullresync", "source": end.survivor, "targets": [end.victim]}
    return Line(end.survivor, "mirror_action", f"Copy all of {tag} from {end.survivor} to {end.victim}", values)


async def _planned(cluster: Cluster, seen: Seen, victim: str) -> _End:
    silent = [name for name in cluster.nodes if name not in seen]
    if silent:
        raise Refused(
            f"LifeKeeper does not answer on {' and '.join(silent)}, so nothing is thrown away",
            remedy="start it: `lkcli start`",
        )
    owed = await _owed(cluster, seen)
    if not apart(seen) and not owed:
        raise Refused("there is no split brain, so nothing is thrown away", remedy="see `squid-ha status`")
    if owed and victim not in owed and not apart(seen):
        given = next(iter(owed))
        raise Refused(
            f"the half of {given} was given up already, and may be overwritten in part",
            remedy=f"end that first: `squid-ha resolve split-brain STACK --victim {given}`",
        )
    end = _end(seen, victim, next(name for name in cluster.nodes if name != victim))
    await _refuse_unfit(cluster, seen, end)
    return end


def _end(seen: Seen, victim: str, survivor: str) -> _End:
    members = service(seen)
    filesystem, half = volume(victim, seen[victim]) or (None, None)
    over, before = {each.tag for each in (filesystem or half,) if each}, 0
    while len(over) != before:
        before = len(over)
        over |= {parent for view in seen.values() for parent, child in view.dependencies if child in over}
    lowest = {each.tag for each in (filesystem, half) if each}
    return _End(
        victim=victim,
        survivor=survivor,
        members=members,
        mirrors=_mirrors(seen),
        over=[tag for tag in reversed(members) if tag in over - lowest],
        roots=roots(seen, members),
    )


async def _refuse_unfit(cluster: Cluster, seen: Seen, end: _End) -> None:
    missing = [tag for tag in end.mirrors if end.survivor not in sources(seen, tag)]
    if missing:
        raise Refused(
            f"{' and '.join(missing)} is not in service here, so there is nothing to copy from",
            node=end.survivor,
            remedy=f"put it in service: `perform_action -t {missing[0]} -a restore`, or name {end.survivor} as victim",
        )
    if seen[end.survivor].machines.get(end.victim) != ALIVE:
        raise Refused(
            f"this node does not hear {end.victim}, so its half cannot be overwritten",
            node=end.survivor,
            remedy="repair the network first; see the communication paths in `lcdstatus`",
        )
    # That it lies there is assumed.
    program = grammar.build("mirror_action", tag=end.mirrors[0], action="fullresync")[0]
    found = await cluster.node(end.survivor).run(command("test", "-x", program, ok=None, reads=True))
    if found.exit_code != 0:
        raise Refused(
            f"there is no {program}, which copies a half",
            node=end.survivor,
            remedy="correct where mirror_action lies in providers/lifekeeper/grammar/grammar.yaml, and run this again",
        )


async def _take_out(cluster: Cluster, name: str, tags: Sequence[str]) -> None:
    """One by one, because it is not documented that those above go along; looked at before each, because they may."""

    async def there() -> list[str]:
        view = (await views.read(cluster, [name]))[name]
        return [tag for tag in tags if view.state(tag) in IN_SERVICE]

    for tag in tags:
        if tag in await there():
            values = {"tag": tag, "action": "remove"}
            await speaking.say(cluster, Line(name, "perform_action", f"Take {tag} out of service", values))
    if still := await there():
        raise NotVerified(
            f"still in service: {', '.join(still)}",
            node=name,
            remedy="see /var/log/lifekeeper.log there, then run this again",
        )


async def _wait(cluster: Cluster, end: _End) -> None:
    async def look() -> str:
        view = (await mirror(cluster))[end.survivor]
        return "" if view.role == "source" and view.connected else view.trouble or view.connection or "unknown"

    said, held = await until(
        look,
        lambda trouble: not trouble,
        RESYNC_LIMIT,
        report=lambda told, waited: cluster.progress(f"Waiting for the copying to begin ({waited:.0f} s): {told}"),
    )
    if not held:
        raise TimedOut(
            f"the copying to {end.victim} did not begin within {RESYNC_LIMIT:.0f} s ({end.survivor}: {said})",
            remedy="check the replication network and /var/log/lifekeeper.log on both nodes, and run this again",
        )


async def _serve(cluster: Cluster, end: _End) -> None:
    """Put in service on the survivor what was on the victim alone: an address that only one node could have, say."""
    node = cluster.node(end.survivor)
    for tag in await _missing(cluster, node, end.roots):
        values = {"tag": tag, "action": "restore"}
        await speaking.say(cluster, Line(node.name, "perform_action", f"Put {tag} in service", values))
    if missing := await _missing(cluster, node, end.roots):
        raise NotVerified(
            f"the split brain is ended, but {', '.join(missing)} is not in service here",
            node=node.name,
            remedy=f"see /var/log/lifekeeper.log there, then `perform_action -t {missing[0]} -a restore`",
        )


async def _missing(cluster: Cluster, node: Node, tags: Sequence[str]) -> list[str]:
    view = (await views.read(cluster, [node.name]))[node.name]
    return [tag for tag in tags if view.state(tag) not in IN_SERVICE]
