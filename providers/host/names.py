"""Name resolution between the nodes: a marked block in /etc/hosts, the rest of the file left as it is.

A line elsewhere in the file that gives a node another address (Debian's installer writes ``127.0.1.1 <own name>``) is
left alone and comes first in resolution. Nothing of the cluster depends on it: Corosync and DRBD are configured by
address. It is told as the fact ``shadowed``.
"""

from __future__ import annotations

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused
from providers.connection.files import Found, read_files, remove_file, write_file
from providers.contract import Absent, Observed, Present, State
from providers.host.hosts_file import DamagedBlockError, shadowed, split, with_block, without_block

HOSTS = "/etc/hosts"
BEFORE = "before"
"""Journal entry: how the file ended before there was a block, which is all that undoing has to know."""


class Wanted(State):
    """``nodes``: node → lines of the block (hosts(5)), empty on observation where there is no block."""

    nodes: dict[str, list[str]]


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The block's lines on each node. Raises `Refused` where a marker stands alone."""

    async def read(node: Node) -> tuple[list[str] | None, list[str]]:
        content = (await _read(node)).content
        try:
            return split(content, cluster.site).lines, shadowed(content, cluster.site)
        except DamagedBlockError as damage:
            raise _damaged(node, damage) from None

    found = await cluster.each(read, list(wanted.nodes))
    if all(lines is None for lines, _ in found.values()):
        return Absent()
    values = Wanted(nodes={name: lines or [] for name, (lines, _) in found.items()})
    return Present(values, {"shadowed": {name: names for name, (_, names) in found.items() if names}})


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:
    """Write the block where it differs; every byte outside it stays."""

    async def write(node: Node) -> None:
        lines = wanted.nodes[node.name]
        if isinstance(observed, Present) and observed.values.nodes.get(node.name) == lines:
            return
        found = await _read(node)
        try:
            if split(found.content, cluster.site).lines is None:
                await cluster.journal(node).record({BEFORE: _ending(found)})
            content = with_block(found.content, cluster.site, lines)
        except DamagedBlockError as damage:
            raise _damaged(node, damage) from None
        await write_file(node, HOSTS, content, mode=found.mode or "0644", owner=found.owner or "root:root")

    await cluster.each(write, list(wanted.nodes))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take the block out again; the file is then as it would be had the block never been there."""

    async def take_out(node: Node) -> None:
        journal = cluster.journal(node)
        before = (await journal.entries()).get(BEFORE, "newline")
        found = await _read(node)
        try:
            content = without_block(found.content, cluster.site, final_newline=before != "no newline")
        except DamagedBlockError as damage:
            raise _damaged(node, damage) from None
        if before == "absent" and not content and found.kind == "file":
            await remove_file(node, HOSTS)
        elif content != found.content:
            await write_file(node, HOSTS, content, mode=found.mode, owner=found.owner)
        await journal.forget()

    await cluster.each(take_out, list(wanted.nodes))


async def _read(node: Node) -> Found:
    found = (await read_files(node, [HOSTS]))[HOSTS]
    if found.kind not in ("file", "absent"):
        raise Refused(f"{HOSTS} is not a regular file ({found.kind})", node=node.name, remedy="make it one")
    return found


def _ending(found: Found) -> str:
    if found.kind == "absent":
        return "absent"
    return "no newline" if found.content and not found.content.endswith(b"\n") else "newline"


def _damaged(node: Node, damage: DamagedBlockError) -> Refused:
    return Refused(f"in {HOSTS} {damage}", node=node.name, remedy="repair or delete the block by hand, then run again")
