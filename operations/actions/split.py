"""Ending a split brain: both halves' logs are saved first, and what each has that the other has not is counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from declaration.site import Site
from operations.actions import records
from operations.engines import Runtime, Tree, engine_of
from operations.health import is_whole
from operations.logs import ask
from operations.logs.place import mirror_log
from operations.silence import heard
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import HostError, NotVerified, Refused, TimedOut, all_silent, in_a_line
from providers.host.waiting import reporting

SHOWN = 5
"""Records of each half that are shown of what the other one has not."""

SETTLED_WITHIN = 300.0
"""Seconds that the engine may take to come to rest: right after a cut that has healed it stops what runs twice."""

_REACHED = command("true", reads=True, timeout=15)

# $1 what was saved. Prints KiB of it, and KiB that are free beside it.
_ROOM = r"""
set -eu
printf '%s %s\n' "$(du -sk -- "$1" | cut -f 1)" "$(df -Pk -- "$1" | awk 'NR == 2 { print $4 }')"
"""

# $1 a new folder. What is copied for it goes on on the node until it finds its place gone, and may make it anew before.
# Moved aside first: emptied where it is, it could still get its name as if it were whole.
_GIVE_UP = r"""
gone=0
for try in 1 2 3 4 5 6 7 8 9 10; do
    if mv -T -- "$1.part" "$1.$try.part" 2>/dev/null; then gone=0; else gone=$((gone + 1)); fi
    rm -rf -- "$1.$try.part" 2>/dev/null
    [ "$gone" -lt 2 ] || exit 0
    sleep 0.5
done
echo "$1.part is still written" >&2
exit 1
"""


class Saved(BaseModel):
    """One node's half: where its logs were saved on that node, how many records only it has, and what it said."""

    model_config = ConfigDict(frozen=True)

    node: str
    folder: str
    only_here: int
    first: list[str] = Field(exclude=True)
    """The first of those records, for people alone: clients' addresses and what they asked for are in them."""
    whole: bool
    """False where there is more that only this half has than was counted."""
    said: str


class Resolved(BaseModel):
    """The end of a split brain. ``saved`` is empty where there was none any more."""

    model_config = ConfigDict(frozen=True)

    action: str = "resolve split-brain"
    stack: str
    victim: str
    survivor: str
    saved: list[Saved]
    resolved: bool


async def save(cluster: Cluster, site: Site, victim: str) -> list[Saved]:
    """Save both halves' logs on their nodes and count. Nothing on the halves changes; empty without a split brain.

    What is moving is waited for first: until then two nodes may serve, or none. Raises `TimedOut` where it does not
    settle, `Refused` where the halves do not see each other for another reason, or a node has no room for the copy; a
    victim that serves needs room for another one. Where no node can be asked, it raises why without waiting.
    """
    if site.mirror is None:
        raise Refused("the site has no mirror, so there is no split brain of it")
    if len(cluster.nodes) != len(site.nodes):
        raise Refused(
            "a node is declared away, so nobody can tell what its half has",
            remedy="set `away: false` and run `pulumi up` first",
        )
    runtime = engine_of(site).runtime
    await _refuse_silence(cluster)
    await _settled(cluster, runtime)
    found = await runtime.split_brain(cluster)
    if found is None:
        views = await runtime.mirror(cluster)
        if all(view.connected for view in views.values()):
            return []
        told = ", ".join(f"{name}: {view.trouble or view.connection or 'no mirror'}" for name, view in views.items())
        raise Refused(f"this is no split brain, so nothing is thrown away ({told})", remedy="see `squid-ha status`")
    return await _save(cluster, site, victim, found.said)


async def _refuse_silence(cluster: Cluster) -> None:
    """Raises where no node can be asked: then nothing is known to move, and waiting mends no key or address."""
    _, silent = await heard(cluster, lambda node: node.run(_REACHED))
    if len(silent) == len(cluster.nodes):
        raise all_silent([*silent.values()])


async def _settled(cluster: Cluster, runtime: Runtime) -> None:
    held = await reporting(
        runtime.wait_settled(cluster, SETTLED_WITHIN),
        lambda seconds: cluster.progress(f"Waiting until the cluster has settled ({seconds:.0f} s)"),
    )
    if not held:
        raise TimedOut(
            "the cluster does not come to rest, so nobody can tell which node serves; nothing was saved or thrown away",
            remedy="see `squid-ha status` for what it is doing, and run this again; where one of its resources never "
            "comes to rest, correct the cause first",
        )


async def _save(cluster: Cluster, site: Site, victim: str, said: Mapping[str, str]) -> list[Saved]:
    runtime, folder = engine_of(site).runtime, _new_folder(cluster)
    cluster.progress(f"Saving the logs of both halves in {folder} on each node")
    await _copy(cluster, site, runtime, list(cluster.nodes), folder)
    await _refuse_without_room(cluster.node(victim), site, folder)
    return await _counted(cluster, site, victim, dict.fromkeys(cluster.nodes, folder), said)


def _new_folder(cluster: Cluster) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"/var/lib/squid-ha/{cluster.site}/split-brain/{stamp}"


async def _refuse_without_room(victim: Node, site: Site, folder: str) -> None:
    """A half in use is saved once more when the service has left it: too late to find that there is no room."""
    mount_point = site.mirror.mount_point if site.mirror else ""
    if (await victim.run(ask.mounted(mount_point))).stdout.strip() != "yes":
        return
    asking = script(_ROOM, folder, timeout=300, reads=True, label=f"room beside {folder}")
    needed, free = map(int, (await victim.run(asking)).stdout.split())
    if needed >= free:
        raise Refused(
            "the logs are saved once more when the service has left this node, and there is no room for that: "
            f"{needed} KiB may be needed and {free} are free below {PurePosixPath(folder).parent}",
            node=victim.name,
            remedy="make room there first",
        )


async def _save_once_more(cluster: Cluster, site: Site, victim: str) -> str:
    folder = _new_folder(cluster)
    cluster.progress(f"Saving the logs of {victim} once more, in {folder}")
    await _copy(cluster, site, engine_of(site).runtime, [victim], folder)
    return folder


async def _copy(cluster: Cluster, site: Site, runtime: Runtime, names: Sequence[str], folder: str) -> None:
    """Save these nodes' logs in the new folder there. Interrupted, a copy that is not whole is removed again.

    Raises `NotVerified` then where that could not be done.
    """
    try:
        await cluster.each(lambda node: runtime.save_logs(cluster, node.name, site.log.mirror_directory, folder), names)
    except asyncio.CancelledError:
        giving_up = script(_GIVE_UP, folder, timeout=10, label=f"remove {folder}.part")
        try:
            await cluster.each(lambda node: node.run(giving_up), names)
        except HostError as trouble:
            raise NotVerified(
                f"the copy of the logs that was begun may still be there, as {folder}.part: {trouble.message}",
                node=trouble.node,
                remedy="remove it, or run this again, which does",
            ) from trouble
        raise


async def _counted(
    cluster: Cluster, site: Site, victim: str, folders: Mapping[str, str], said: Mapping[str, str]
) -> list[Saved]:
    log = mirror_log(site)
    name = PurePosixPath(log).name if log else site.log.mirror_file
    asked = await cluster.each(lambda node: node.run(records.digests(folders[node.name], name)))
    blocks = {node: records.parse_digests(result.stdout) for node, result in asked.items()}
    survivor = next(node for node in blocks if node != victim)
    parts = dict(zip((victim, survivor), records.differing(blocks[victim], blocks[survivor]), strict=True))

    async def read(node: Node) -> tuple[Counter[bytes], bool]:
        return await records.lines(node, folders[node.name], records.oldest_first(parts[node.name], name))

    lines = await cluster.each(read)
    only = dict(zip((victim, survivor), records.only(lines[victim][0], lines[survivor][0]), strict=True))
    whole = all(complete for _, complete in lines.values())
    return [
        Saved(
            node=node,
            folder=folders[node],
            only_here=only[node].total(),
            first=[line.decode(errors="backslashreplace") for line in list(only[node])[:SHOWN]],
            whole=whole,
            said=said.get(node, ""),
        )
        for node in (victim, survivor)
    ]


async def resolve(cluster: Cluster, site: Site, stack: str, victim: str, saved: list[Saved]) -> Resolved:
    """Throw away what only ``victim`` has; nothing is done where there was no split brain.

    A victim that serves records requests until the service has left it: its half is then saved once more, and compared
    with what was saved of the other one, which loses nothing. From there on every error is `NotVerified`: it says that
    the service has left and where it is, what was saved, and that running it again goes on.
    """
    survivor = next(node.name for node in site.nodes if node.name != victim)
    if not saved:
        return Resolved(stack=stack, victim=victim, survivor=survivor, saved=saved, resolved=False)
    runtime, last, left = engine_of(site).runtime, saved, False
    folders = {half.node: half.folder for half in saved}

    async def save_last() -> None:
        nonlocal last, left
        left = True
        folders[victim] = await _save_once_more(cluster, site, victim)
        last = await _counted(cluster, site, victim, folders, {half.node: half.said for half in saved})

    before = await _tree(cluster, runtime)
    try:
        await runtime.resolve(cluster, victim, save_last)
    except HostError as error:
        now = await _tree(cluster, runtime)
        # `save_last` is not reached where the move itself ended by an error.
        if not left and not (_told_on(before, victim) and _told_off(now, victim)):
            raise
        kept = ", ".join(f"{node}: {folder}" for node, folder in folders.items())
        raise NotVerified(
            f"the service has left {victim} and {_where(now)}, and the logs are saved ({kept}), but the split brain is "
            f"not ended: {error.message}",
            node=error.node,
            remedy=f"{error.remedy or 'see `squid-ha status`'}; then run `squid-ha resolve split-brain {stack} "
            f"--victim {victim}` again, which goes on",
        ) from error
    return Resolved(stack=stack, victim=victim, survivor=survivor, saved=last, resolved=True)


async def _tree(cluster: Cluster, runtime: Runtime) -> Tree | HostError:
    try:
        return await runtime.tree(cluster)
    except HostError as error:
        return error


def _told_on(tree: Tree | HostError, node: str) -> bool:
    return not isinstance(tree, HostError) and tree.active == node


def _told_off(tree: Tree | HostError, node: str) -> bool:
    return not isinstance(tree, HostError) and tree.active != node


def _where(now: Tree | HostError) -> str:
    if isinstance(now, HostError):
        return f"where it runs cannot be told now ({in_a_line(now)})"
    return f"runs on {now.active}" if is_whole(now) else "does not run as a whole on any node now"
