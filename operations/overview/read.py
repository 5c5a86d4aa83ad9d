"""Reading a site for its overview: engine, mirror and clocks at once; what was written of drills on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from blueprint.platforms import PLATFORMS
from declaration.site import Site
from declaration.time import Time
from operations.drill import saved
from operations.engines import Tree, engine_of, membership_of
from operations.health import can_fail_over
from operations.overview.model import Drill, Half, Member, NodeClock, Note, Overview
from operations.states import state_in_words
from operations.status import Status
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, SudoRefused, Unreachable, in_a_line
from providers.host import clocks
from providers.roles import MirrorView, Notice

T = TypeVar("T")

_SILENT = (Unreachable, SudoRefused)
"""What keeps a node from being reached, or from being asked anything as root.

Other than `errors.SILENT` without `TimedOut`: a node that does not tell its clock in time was reached, and what is
known of the mirror is shown.
"""


@dataclass(frozen=True)
class Reading:
    """What the nodes told. Without ``status`` nobody can tell what runs, ``error`` says why.

    ``answered``: whether any node was reached.
    """

    overview: Overview
    status: Status | None = None
    error: HostError | None = None
    answered: bool = True


async def read(cluster: Cluster, site: Site, stack: str) -> Reading:
    """Ask the nodes. A service of which nobody can tell hides nothing else that can be read.

    Its time is that of its beginning: nothing in it is older.
    """
    began = now()
    reading = replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()})
    runtime = engine_of(site).runtime
    tree, views, times, notes, online = await asyncio.gather(
        _told(runtime.tree(reading)),
        _mirror(reading, site),
        _clocks(reading, site),
        _told(runtime.notices(reading)),
        _told(_online(reading, site)),
    )
    # A service whose notices or nodes nobody can tell is never taken for a healthy one.
    noted = None if isinstance(notes, HostError) else [*map(_note, notes), *_untold_nodes(online)]
    beside = Overview(
        stack=stack,
        time=began,
        address=f"{site.virtual_ip}:{site.squid.port}",
        nodes=[node.name for node in site.nodes],
        mirror=[_half(name, view) for name, view in views.items()],
        clocks=[_clock(name, clock, _limit(site)) for name, clock in times.items()],
        notices=noted or [],
        notices_trouble=in_a_line(notes) if isinstance(notes, HostError) else "",
    )
    if isinstance(tree, HostError):
        return _untold(beside, tree, answered=not all(isinstance(clock, _SILENT) for clock in times.values()))
    status = Status(site, tree, views)
    healthy = (
        status.sound
        and noted is not None
        and not isinstance(online, HostError)
        and can_fail_over(site, online, [note.kind for note in noted])
    )
    known = {"active": tree.active, "whole": status.whole, "healthy": healthy, "members": _members(tree)}
    return Reading(beside.model_copy(update={**known, "doubled": status.doubled}), status)


def _untold(beside: Overview, error: HostError, *, answered: bool) -> Reading:
    """Where no node was reached, each one's clock says why, and the mirror would only say it again.

    So would the notices, which are read where the service is, wherever that cannot be told.
    """
    mirror: Sequence[Half] = beside.mirror if answered else ()
    overview = beside.model_copy(update={"message": str(error), "mirror": mirror, "notices_trouble": ""})
    return Reading(overview, error=error, answered=answered)


async def _told(asking: Awaitable[T]) -> T | HostError:
    try:
        return await asking
    except HostError as error:
        return error


async def _mirror(cluster: Cluster, site: Site) -> Mapping[str, MirrorView]:
    return await engine_of(site).runtime.mirror(cluster) if site.mirror else {}


async def _online(cluster: Cluster, site: Site) -> frozenset[str] | None:
    """Where the engine runs; None for an engine that never tells. Raises `Unknown` where nobody can tell now."""
    membership = membership_of(engine_of(site).runtime)
    return await membership.online(cluster) if membership else None


def _untold_nodes(online: frozenset[str] | HostError | None) -> list[Note]:
    if not isinstance(online, HostError):
        return []
    return [Note(kind="apart", text=f"which nodes take part is not known: {in_a_line(online)}")]


def _members(tree: Tree) -> list[Member]:
    return [
        Member(name=name, depth=depth, states={node: state_in_words(state) for node, state in states.items()})
        for depth, (name, states) in enumerate(reversed(list(tree.states.items())))
    ]


def _half(node: str, view: MirrorView) -> Half:
    return Half(
        node=node,
        role=view.role,
        connected=view.connected,
        connection=view.connection,
        data=view.data,
        peer_data=view.peer_data,
        percent=view.percent,
        trouble=view.trouble,
    )


def _note(notice: Notice) -> Note:
    return Note(kind=notice.kind, text=notice.text, node=notice.node)


def unread(stack: str, message: str, exit_code: int) -> Overview:
    """A site that could not be asked."""
    return Overview(stack=stack, time=now(), message=message, exit_code=exit_code)


def last_drill(root: Path, stack: str) -> Drill | None:
    """What the last drill of a stack wrote, or None; a report that cannot be read is none."""
    try:
        return Drill.model_validate_json(saved.latest(stack, root).read_bytes())
    except (OSError, ValidationError):
        return None


def now() -> str:
    """The time, as it is shown."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _limit(site: Site) -> float:
    """Seconds that a clock may be off."""
    return (site.time.max_offset if site.time is not None else Time.model_fields["max_offset"].default).seconds


async def _clocks(cluster: Cluster, site: Site) -> Mapping[str, clocks.Reading | HostError]:
    service = site.time.service if site.time is not None else clocks.EXISTING
    units = PLATFORMS[site.platform].clock_units
    asked = (_told(clocks.read(node, service, units=units)) for node in cluster.nodes.values())
    return dict(zip(cluster.nodes, await asyncio.gather(*asked), strict=True))


def _clock(node: str, reading: clocks.Reading | HostError, limit: float) -> NodeClock:
    if isinstance(reading, HostError):
        return NodeClock(node=node, problem=reading.message.splitlines()[0])
    clock = reading.clock
    return NodeClock(
        node=node,
        service=reading.service,
        source=clock.source,
        stratum=clock.stratum,
        offset=None if clock.problem else clock.offset,
        good=clock.within(limit),
        problem=clock.problem,
    )
