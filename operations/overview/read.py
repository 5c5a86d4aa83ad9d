"""Reading a site for its overview: engine, mirror and clocks at once; what was written of drills on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from declaration.site import Site
from declaration.time import Time
from operations.engines import engine_of, membership_of
from operations.health import can_fail_over
from operations.overview.model import Drill, Half, Member, NodeClock, Note, Overview
from operations.states import in_words
from operations.status import Status, read_status
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Unknown
from providers.host import clocks


async def read(cluster: Cluster, site: Site, stack: str) -> tuple[Status, Overview]:
    """Ask the nodes. Raises `Unknown` where none can tell what runs."""
    reading = replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()})
    status, times, notes, online = await asyncio.gather(
        read_status(reading, site), _clocks(reading, site), _notes(reading, site), _online(reading, site)
    )
    members = list(reversed(list(status.tree.states.items())))
    return status, Overview(
        stack=stack,
        time=now(),
        address=f"{site.virtual_ip}:{site.squid.port}",
        nodes=[node.name for node in site.nodes],
        active=status.tree.active,
        whole=status.whole,
        healthy=status.sound and can_fail_over(site, online, [note.kind for note in notes]),
        members=[
            Member(name=name, depth=depth, states={node: in_words(state) for node, state in states.items()})
            for depth, (name, states) in enumerate(members)
        ],
        mirror=[
            Half(
                node=name,
                role=view.role,
                connected=view.connected,
                connection=view.connection,
                data=view.data,
                peer_data=view.peer_data,
                percent=view.percent,
                trouble=view.trouble,
            )
            for name, view in status.mirror.items()
        ],
        clocks=times,
        notices=notes,
    )


async def _online(cluster: Cluster, site: Site) -> frozenset[str] | None:
    """Where the engine runs; None where nobody can tell."""
    membership = membership_of(engine_of(site).runtime)
    try:
        return await membership.online(cluster) if membership else None
    except Unknown:
        return None


def unread(stack: str, message: str, exit_code: int) -> Overview:
    """A site that could not be asked."""
    return Overview(stack=stack, time=now(), message=message, exit_code=exit_code)


def last_drill(root: Path, stack: str) -> Drill | None:
    """What the last drill of a stack wrote, or None; a report that cannot be read is none."""
    try:
        return Drill.model_validate_json((root / ".state" / "drills" / stack / "latest.json").read_bytes())
    except (OSError, ValidationError):
        return None


def now() -> str:
    """The time, as it is shown."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


async def _notes(cluster: Cluster, site: Site) -> list[Note]:
    try:
        found = await engine_of(site).runtime.notices(cluster)
    except Unknown:
        # Then nobody can tell what runs either, and that is said once.
        return []
    return [Note(kind=notice.kind, text=notice.text, node=notice.node) for notice in found]


async def _clocks(cluster: Cluster, site: Site) -> list[NodeClock]:
    service = site.time.service if site.time is not None else clocks.EXISTING
    limit = site.time.max_offset if site.time is not None else Time.model_fields["max_offset"].default

    async def ask(node: Node) -> NodeClock:
        try:
            reading = await clocks.read(node, service)
        except HostError as error:
            return NodeClock(node=node.name, problem=error.message.splitlines()[0])
        clock = reading.clock
        return NodeClock(
            node=node.name,
            service=reading.service,
            source=clock.source,
            stratum=clock.stratum,
            offset=None if clock.problem else clock.offset,
            good=clock.within(limit.seconds),
            problem=clock.problem,
        )

    return list((await cluster.each(ask)).values())
