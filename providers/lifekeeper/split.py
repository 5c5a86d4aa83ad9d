"""Split brain: the mirror is in service on both nodes, so each half has been written without the other one.

Found here; how it is ended is `providers.lifekeeper.resolving`'s. A victim, whose half a person has given up, bears a
mark until it has been overwritten: it is told, and does not become the source.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, Refused
from providers.lifekeeper import live
from providers.lifekeeper.hierarchy import roots, service
from providers.lifekeeper.views import IN_SERVICE, View
from providers.roles import SplitBrain
from providers.storage import marks

GIVEN_UP, COPYING = "split brain: to be overwritten from", "split brain: being overwritten from"
MARKS = (GIVEN_UP, COPYING)
"""Marks of a victim in the journal of kept data, each with the survivor; the second is beside the first once all of it
is being copied."""

Seen = Mapping[str, View]


async def split_brain(cluster: Cluster) -> SplitBrain | None:
    """Whether the mirror is in service on both nodes, or the end of that was cut off."""
    seen = await live.read(cluster)
    found = apart(seen)
    if found:
        return SplitBrain({name: f"{' and '.join(found)}: in service here" for name in sources(seen, found[0])})
    for victim, survivor in (await victims(cluster, seen)).items():
        given_up = f"given up by a run that was cut off: still to be overwritten from {survivor}"
        serves = any(survivor in sources(seen, tag) for tag in mirrors_of(seen))
        return SplitBrain({victim: given_up, survivor: f"{'' if serves else 'not '}in service here"})
    return None


def apart(seen: Seen) -> list[str]:
    """The service's mirrors that are in service on more than one node."""
    return [tag for tag in mirrors_of(seen) if len(sources(seen, tag)) > 1]


def told(seen: Seen) -> str:
    """The sentence about a split brain, '' where there is none."""
    found = apart(seen)
    if not found:
        return ""
    return f"split brain: {' and '.join(found)} is in service on {' and '.join(sources(seen, found[0]))}"


ENDS = "`squid-ha resolve split-brain` ends it, once both logs are saved"


def mirrors_of(seen: Seen) -> list[str]:
    """The service's mirrors."""
    kinds = {tag: each.type for view in seen.values() for tag, each in view.instances.items()}
    return [tag for tag in service(seen) if kinds[tag] == "netraid"]


def sources(seen: Seen, tag: str) -> list[str]:
    """The nodes on which it is in service."""
    return [name for name, view in seen.items() if view.state(tag) in IN_SERVICE]


async def victims(cluster: Cluster, seen: Seen) -> dict[str, str]:
    """Victim → survivor, of an end that was cut off; a victim that is the only source by now is none any more."""
    found: dict[str, str] = {}
    for name in seen:
        survivor = (await marks.kept(cluster, cluster.node(name)).entries()).get(GIVEN_UP)
        if survivor and mirrors_of(seen) and not _only_source(seen, name):
            found[name] = survivor
    return found


def _only_source(seen: Seen, name: str) -> bool:
    tags = mirrors_of(seen)
    return bool(tags) and all(sources(seen, tag) == [name] for tag in tags)


async def unfinished(cluster: Cluster, seen: Seen) -> dict[str, str]:
    """Victim → survivor, of an end that was cut off; nothing where that cannot be read."""
    try:
        return await victims(cluster, seen)
    except HostError:
        return {}


async def refuse_victim(cluster: Cluster, seen: Seen, to: str) -> None:
    """Raises `Refused` where ``to`` has data that a person has given up and that is not overwritten yet."""
    survivor = (await victims(cluster, seen)).get(to)
    if not survivor:
        return
    ending = f"`squid-ha resolve split-brain STACK --victim {to}` ends what was cut off"
    if survivor not in seen:
        top = " ".join(roots(seen, service(seen)))
        ending = (
            f"start {survivor} and LifeKeeper there first; {ending}. Where {survivor} is lost for good: what this half "
            f"has may be overwritten in part; `perform_action -t {top} -a restore` here takes it all the same"
        )
    raise Refused(
        f"its half of the mirror was given up, and is not overwritten yet from {survivor}", node=to, remedy=ending
    )


async def forget_void(cluster: Cluster, seen: Seen, to: str) -> None:
    """Before the service moves to ``to``: a victim that is the only source is none, and the move would hide that."""
    for name in seen:
        if name != to and _only_source(seen, name):
            journal = marks.kept(cluster, cluster.node(name))
            await journal.drop([mark for mark in MARKS if mark in await journal.entries()])
