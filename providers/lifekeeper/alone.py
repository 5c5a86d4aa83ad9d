"""Starting the service on one node of a pair whose other one is off, which only a person can know.

After both were down DataKeeper brings a mirror into service only once both are back: the half that came first may be
the older one. The last source bears a file that says so, and a second one that bars it while it has not heard its
target; a person who knows that it was the last source has it forced. Facts: SteelEye Protection Suite for Linux,
technical documentation, DataKeeper, Failover Scenarios and Server Failure; the grammar's `files` and `mirror_action`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import CommandFailed, NotVerified, Refused, Unknown
from providers.host.waiting import reporting, until
from providers.lifekeeper import live, planned, speaking, split
from providers.lifekeeper.hierarchy import arrived, role, roots, service
from providers.lifekeeper.move import MOVE_LIMIT
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.up import wait_until_up
from providers.lifekeeper.views import ALIVE, View

NETRAID = "/opt/LifeKeeper/subsys/scsi/resources/netraid"
LAST_OWNER, DATA_CORRUPT = "last_owner", "data_corrupt"
# $1 folder, then tags: those of the two files that are there, a line each.
_NOTES = r"""
folder=$1
shift
for tag do
    for note in last_owner data_corrupt; do
        if [ -e "$folder/${tag}_$note" ]; then printf '%s %s\n' "$note" "$tag"; fi
    done
done
"""


@dataclass(frozen=True)
class _Halves:
    """Mirrors that are not in service here: those that come up only when forced, those last in service elsewhere."""

    barred: Sequence[str]
    strange: Sequence[str]


async def start_alone(cluster: Cluster, node: str) -> None:
    """Put the service in service on ``node`` while the other one is off, and wait for it.

    A mirror that was last in service here is forced. Raises `Refused` where the other node can be seen, this half of
    the mirror was given up, or is barred and was not the last source; `CommandFailed`, `NotVerified` where the service
    does not come.
    """
    seen = await live.read(cluster)
    if node not in seen:
        raise Refused("LifeKeeper does not run on this node", node=node, remedy="`lkcli start` there")
    # All that LifeKeeper knows: a node that is declared away is none of the cluster's here.
    heard = [name for name, state in seen[node].machines.items() if name != node and state == ALIVE]
    if heard:
        raise Refused(f"{', '.join(heard)} is alive to LifeKeeper here", node=node, remedy="`squid-ha switchover`")
    # Only then it has barred what must not come up.
    await wait_until_up(cluster, cluster.node(node))
    own = {node: seen[node]}
    await split.refuse_victim(cluster, seen, node)
    halves = await _halves(cluster.node(node), [tag for tag in split.mirrors_of(own) if not split.sources(own, tag)])
    async with planned.noted(cluster, node):
        for tag in halves.barred:
            cluster.progress(f"Taking the mirror's half on {node} for the newest: it was the last source")
            values = {"tag": tag, "action": "force"}
            await speaking.say(cluster, Line(node, "mirror_action", f"Force {tag} online", values))
        for root in roots(own, service(own)):
            await _put_in_service(cluster, node, root, halves.strange)
        await _wait_in_service(cluster, node, service(own))


async def _halves(node: Node, mirrors: Sequence[str]) -> _Halves:
    """Raises `Refused` for one that is barred, and that the other node may be ahead of."""
    if not mirrors:
        return _Halves((), ())
    asking = script(_NOTES, NETRAID, *mirrors, label="look for the last source of the mirror", reads=True)
    found = [line.split(" ", 1) for line in (await node.run(asking)).stdout.splitlines()]
    owned = {tag for note, tag in found if note == LAST_OWNER}
    barred = [tag for note, tag in found if note == DATA_CORRUPT]
    strange = [tag for tag in mirrors if tag not in owned]
    for tag in barred:
        if tag in strange:
            raise Refused(f"{_not_the_last(tag)}, so nothing is forced", node=node.name, remedy=_as_it_is(tag))
    return _Halves(barred, strange)


def _not_the_last(tag: str) -> str:
    return f"{tag} was not in service here last ({NETRAID}/{tag}_{LAST_OWNER} is missing)"


def _as_it_is(tag: str) -> str:
    return (
        "switch the other node on, which may have newer data. Where that is lost for good: "
        f"`/opt/LifeKeeper/bin/mirror_action {tag} force` here takes this half as it is, then run this again"
    )


async def _put_in_service(cluster: Cluster, node: str, root: str, strange: Sequence[str]) -> None:
    putting = Line(node, "perform_action", f"Put {root} in service", {"tag": root, "action": "restore"})
    try:
        await reporting(speaking.say(cluster, putting), lambda seconds: _tell_waiting(cluster, node, seconds))
    except CommandFailed as failed:
        if not strange:
            raise
        why = f"{failed.stderr.rstrip()}\n{_not_the_last(strange[0])}"
        raise CommandFailed(node, failed.command, failed.exit_code, why, remedy=_as_it_is(strange[0])) from failed


async def _wait_in_service(cluster: Cluster, node: str, tags: Sequence[str]) -> None:
    async def look() -> Mapping[str, View]:
        try:
            return await live.read(cluster)
        except Unknown:
            # Nobody else is left to tell, and this one cannot while its hierarchy changes under the reading.
            return {}

    now, there = await until(
        look,
        lambda told: arrived(told, tags, node),
        MOVE_LIMIT,
        report=lambda _, seconds: _tell_waiting(cluster, node, seconds),
    )
    if not there:
        states = ", ".join(
            f"{tag} is {role(now.get(name), tag)} on {name}" for name in dict.fromkeys((node, *now)) for tag in tags
        )
        raise NotVerified(
            f"the service does not run on {node} alone after {MOVE_LIMIT:.0f} s: {states}",
            node=node,
            remedy="see /var/log/lifekeeper.log there, and run this again",
        )


def _tell_waiting(cluster: Cluster, node: str, seconds: float) -> None:
    cluster.progress(f"Waiting for the service on {node} ({seconds:.0f} s)")
