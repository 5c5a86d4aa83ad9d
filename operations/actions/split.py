"""Ending a split brain: both halves' logs are saved first, and what each has that the other has not is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from blueprint import paths
from declaration.site import Site
from operations.actions import records
from operations.engines import engine_of
from operations.logs.place import mirror_log
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused

SHOWN = 5
"""Records of each half that are shown of what the other one has not."""


class Saved(BaseModel):
    """One node's half: where its logs were saved on that node, how many records only it has, and what it said."""

    model_config = ConfigDict(frozen=True)

    node: str
    folder: str
    only_here: int
    first: list[str]
    """The first of those records, for people."""
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

    Raises `Refused` where the halves do not see each other for another reason, or a node has no room for the copy.
    """
    if site.mirror is None:
        raise Refused("the site has no mirror, so there is no split brain of it")
    if len(cluster.nodes) != len(site.nodes):
        raise Refused("a node is declared away, so nobody can tell what its half has", remedy="bring it back first")
    runtime = engine_of(site).runtime
    found = await runtime.split_brain(cluster)
    if found is None:
        views = await runtime.mirror(cluster)
        if all(view.connected for view in views.values()):
            return []
        told = ", ".join(f"{name}: {view.trouble or view.connection or 'no mirror'}" for name, view in views.items())
        raise Refused(f"this is no split brain, so nothing is thrown away ({told})", remedy="see `squid-ha status`")
    return await _save(cluster, site, victim, found.said)


async def _save(cluster: Cluster, site: Site, victim: str, said: Mapping[str, str]) -> list[Saved]:
    runtime = engine_of(site).runtime
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = f"/var/lib/squid-ha/{cluster.site}/split-brain/{stamp}"
    cluster.progress(f"Saving the logs of both halves in {folder} on each node")
    await cluster.each(lambda node: runtime.save_logs(cluster, node.name, paths.LOG_DIRECTORY, folder))
    return await _counted(cluster, site, victim, folder, said)


async def _counted(cluster: Cluster, site: Site, victim: str, folder: str, said: Mapping[str, str]) -> list[Saved]:
    log = mirror_log(site)
    name = PurePosixPath(log).name if log else site.log.mirror_file
    blocks = {
        node: records.parse_digests(result.stdout)
        for node, result in (await cluster.each(lambda node: node.run(records.digests(folder, name)))).items()
    }
    survivor = next(node for node in blocks if node != victim)
    parts = dict(zip((victim, survivor), records.differing(blocks[victim], blocks[survivor]), strict=True))

    async def read(node: Node) -> tuple[Counter[bytes], bool]:
        return await records.lines(node, folder, parts[node.name])

    lines = await cluster.each(read)
    only = dict(zip((victim, survivor), records.only(lines[victim][0], lines[survivor][0]), strict=True))
    whole = all(complete for _, complete in lines.values())
    return [
        Saved(
            node=node,
            folder=folder,
            only_here=only[node].total(),
            first=[line.decode(errors="backslashreplace") for line in list(only[node])[:SHOWN]],
            whole=whole,
            said=said.get(node, ""),
        )
        for node in (victim, survivor)
    ]


async def resolve(cluster: Cluster, site: Site, stack: str, victim: str, saved: list[Saved]) -> Resolved:
    """Throw away what only ``victim`` has; nothing is done where there was no split brain.

    A victim that serves records requests until the service has left it: both halves are then saved once more.
    """
    survivor = next(node.name for node in site.nodes if node.name != victim)
    last = list(saved)

    async def save_last() -> None:
        last[:] = await _save(cluster, site, victim, {each.node: each.said for each in saved})

    if saved:
        await engine_of(site).runtime.resolve(cluster, victim, save_last)
    return Resolved(stack=stack, victim=victim, survivor=survivor, saved=last, resolved=bool(saved))
