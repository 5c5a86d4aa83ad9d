"""Ending a split brain: both halves' logs, then all of one half is copied over the other one.

How it is ended SIOS published as no procedure, only its parts: `perform_action` takes resources out of service on one
node, and `mirror_action TAG fullresync SOURCE TARGET` copies everything from the other one. Whether DataKeeper begins
to copy by itself once one half is out of service, and then knows what that half has written, nobody published; after a
copy of everything nothing of it is left in any case. So the victim bears a mark (`split.MARKS`) from before its half
leaves service until all of it is being copied and the service runs: a run that is cut off in between is noticed, and
run again goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.host.waiting import reporting, until
from providers.lifekeeper import grammar, live, planned, speaking, views
from providers.lifekeeper.halves import mirror, volume
from providers.lifekeeper.hierarchy import roots, service
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.split import COPYING, GIVEN_UP, MARKS, Seen, apart, mirrors_of, sources, victims
from providers.lifekeeper.views import ALIVE, IN_SERVICE
from providers.storage import marks, rescue

RESYNC_LIMIT = 120.0
"""Seconds from asking for the copy to seeing it under way."""

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
    """What a way to the end consists of, the top of the hierarchy first.

    ``half`` is the mirror that is overwritten, and no other. ``over`` are the members that stand on its filesystem,
    ``rest`` itself, its filesystem and what else those stand on. ``others`` are tied to them, and stand on no half.
    """

    victim: str
    survivor: str
    half: str
    over: Sequence[str]
    rest: Sequence[str]
    others: Sequence[str]
    roots: Sequence[str]


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
    if half.state not in IN_SERVICE and GIVEN_UP in await marks.kept(cluster, node).entries():
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
    end = await _checked_end(cluster, seen, victim)
    journal = marks.kept(cluster, cluster.node(victim))
    if apart(seen) or COPYING not in await journal.entries():
        await _throw_away(cluster, seen, end, left)
    await _serve(cluster, end)
    await journal.drop(MARKS)


async def _throw_away(cluster: Cluster, seen: Seen, end: _End, left: Callable[[], Awaitable[None]]) -> None:
    victim, journal = end.victim, marks.kept(cluster, cluster.node(end.victim))
    served = [tag for tag in end.over if seen[victim].state(tag) in IN_SERVICE]
    if served:
        cluster.progress(f"Taking {', '.join(served)} out of service on {victim}")
        await _take_out(cluster, victim, end.over)
        await left()
    # From here on the half counts as given up, and no other.
    await marks.kept(cluster, cluster.node(end.survivor)).drop(MARKS)
    await journal.drop([COPYING])
    await journal.put({GIVEN_UP: end.survivor})
    await _take_out(cluster, victim, end.rest)
    await _say(cluster, _copy_all(end))
    await _wait(cluster, end)
    await journal.put({COPYING: end.survivor})


def _copy_all(end: _End) -> Line:
    values = {"tag": end.half, "action": "fullresync", "source": end.survivor, "targets": [end.victim]}
    return Line(end.survivor, "mirror_action", f"Copy all of {end.half} from {end.survivor} to {end.victim}", values)


async def _say(cluster: Cluster, line: Line) -> None:
    """Each may take as long as `speaking.WRITE_LIMIT`."""
    await reporting(
        speaking.say(cluster, line),
        lambda seconds: cluster.progress(f"{line.node}: waiting for LifeKeeper: {line.page} ({seconds:.0f} s)"),
    )


async def _checked_end(cluster: Cluster, seen: Seen, victim: str) -> _End:
    silent = [name for name in cluster.nodes if name not in seen]
    if silent:
        raise Refused(
            f"LifeKeeper does not answer on {' and '.join(silent)}, so nothing is thrown away",
            remedy="start it: `lkcli start`",
        )
    before = await victims(cluster, seen)
    if not apart(seen) and not before:
        raise Refused("there is no split brain, so nothing is thrown away", remedy="see `squid-ha status`")
    if before and victim not in before and not apart(seen):
        given = next(iter(before))
        raise Refused(
            f"the half of {given} was given up already, and may be overwritten in part",
            remedy=f"end that first: `squid-ha resolve split-brain STACK --victim {given}`",
        )
    end = _end(seen, victim, next(name for name in cluster.nodes if name != victim))
    _refuse_others(seen, end)
    await _refuse_unfit(cluster, seen, end, given_up=victim in before)
    return end


def _end(seen: Seen, victim: str, survivor: str) -> _End:
    found = volume(victim, seen[victim])
    if found is None:
        raise Refused("the service has no mirror here, so there is nothing to overwrite", node=victim)
    filesystem, half = found
    lowest = {each.tag for each in (filesystem, half) if each}
    ties = {tie for view in seen.values() for tie in view.dependencies}
    over = _led_to(lowest, [(child, parent) for parent, child in ties]) - lowest
    whole = _led_to(over | lowest, ties)
    members = service(seen)[::-1]
    return _End(
        victim=victim,
        survivor=survivor,
        half=half.tag,
        over=[tag for tag in members if tag in over],
        rest=[tag for tag in members if tag in whole - over],
        others=[tag for tag in members if tag not in whole],
        roots=[tag for tag in roots(seen, members) if tag in over],
    )


def _led_to(tags: set[str], ties: Collection[tuple[str, str]]) -> set[str]:
    """These, and all that the ties lead to from them, first to second."""
    found, before = set(tags), 0
    while len(found) != before:
        before = len(found)
        found |= {to for start, to in ties if start in found}
    return found


def _refuse_others(seen: Seen, end: _End) -> None:
    mirrors = [tag for tag in mirrors_of(seen) if tag != end.half]
    if mirrors:
        raise Refused(
            f"{' and '.join(mirrors)} is a mirror in Squid's hierarchy too, and only {end.half} is this site's: nobody "
            "here can tell which half of another one is to be thrown away",
            remedy="delete the dependencies that tie it to Squid's hierarchy, in LifeKeeper's own interface, and run "
            "this again; or end the split brain of both there",
        )
    others = [tag for tag in end.others if seen[end.victim].state(tag) in IN_SERVICE]
    if others:
        raise Refused(
            f"{' and '.join(others)} is tied to Squid's hierarchy and in service here, and does not stand on "
            f"{end.half}, so it is not stopped for it",
            node=end.victim,
            remedy=f"take it out of service here first: `perform_action -t {others[0]} -a remove`",
        )


async def _refuse_unfit(cluster: Cluster, seen: Seen, end: _End, *, given_up: bool) -> None:
    if end.survivor not in sources(seen, end.half):
        otherwise = "" if given_up else f", or name {end.survivor} as victim"
        raise Refused(
            f"{end.half} is not in service here, so there is nothing to copy from",
            node=end.survivor,
            remedy=f"put it in service: `perform_action -t {end.half} -a restore`{otherwise}",
        )
    if seen[end.survivor].machines.get(end.victim) != ALIVE:
        raise Refused(
            f"this node does not hear {end.victim}, so its half cannot be overwritten",
            node=end.survivor,
            remedy="repair the network first; see the communication paths in `lcdstatus`",
        )
    # That it lies there is assumed.
    program = grammar.build("mirror_action", tag=end.half, action="fullresync")[0]
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
            await _say(cluster, Line(name, "perform_action", f"Take {tag} out of service", values))
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
    if not (missing := await _missing(cluster, node, end.roots)):
        return
    async with planned.noted(cluster, node.name):
        for tag in missing:
            values = {"tag": tag, "action": "restore"}
            await _say(cluster, Line(node.name, "perform_action", f"Put {tag} in service", values))
        if missing := await _missing(cluster, node, end.roots):
            raise NotVerified(
                f"{end.victim} is being overwritten, but {', '.join(missing)} is not in service here",
                node=node.name,
                remedy="correct the cause (/var/log/lifekeeper.log there), and run this again",
            )


async def _missing(cluster: Cluster, node: Node, tags: Sequence[str]) -> list[str]:
    view = (await views.read(cluster, [node.name]))[node.name]
    return [tag for tag in tags if view.state(tag) not in IN_SERVICE]
