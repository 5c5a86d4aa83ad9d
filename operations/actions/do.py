"""An action on a running site: alone on the cluster, timed, and what is there afterwards."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict

from declaration.site import Site
from operations.drill.armed import disarm_aside, refuse_aside
from operations.engines import Runtime, engine_of
from operations.health import is_whole
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, Unreachable, in_a_line
from providers.connection.together import both
from providers.roles import Notice


class Outcome(BaseModel):
    """An action that worked. ``active`` is the node that runs the service then, None if there is none.

    ``whole``: all of the service runs there, and not only a part of it. ``told`` is false where neither could be told;
    the last notice says why.
    """

    model_config = ConfigDict(frozen=True)

    action: str
    stack: str
    node: str | None = None
    seconds: float
    active: str | None
    whole: bool = False
    told: bool = True
    notices: list[str]


async def hold(cluster: Cluster) -> None:
    """Keep every other writer out while this one is at work.

    A node that is off cannot be locked, and nobody else can lock it either: the others' locks do. Raises `Locked`.
    """
    try:
        await cluster.hold(without_lost=True)
    except Unreachable as error:
        cluster.progress(f"no node can be reached, so nobody is kept from changing this site now: {in_a_line(error)}")


Work = Callable[[], Awaitable[None]]

DrillsTimer = Literal["would end it", "is over", "is apart"]
"""What an action has to do with the timer by which a drill that was killed brings a node back, minutes later.

``would end it``: the action is refused while the timer is there. ``is over``: the timer has nothing to do any more
after it, and is stopped. ``is apart``: nothing.
"""


async def act(
    cluster: Cluster,
    site: Site,
    stack: str,
    action: str,
    work: Work,
    node: str = "",
    *,
    drills_timer: DrillsTimer = "is apart",
) -> Outcome:
    """Do ``work`` alone on the cluster, and tell what is there afterwards.

    Raises `Refused` where the timer of a drill that was killed would end it, `Locked`, and what ``work`` raises.
    """
    begun = time.monotonic()
    await hold(cluster)
    if drills_timer == "would end it":
        await refuse_aside(cluster, stack)
    await work()
    seconds = round(time.monotonic() - begun, 1)
    outcome = partial(Outcome, action=action, stack=stack, node=node or None, seconds=seconds)
    try:
        active, whole, notices = await _afterwards(cluster, engine_of(site).runtime)
    except HostError as error:
        # The action itself was verified by what did it; this is only for the report.
        return outcome(active=None, told=False, notices=[str(error)])
    # The one that was brought back may not be the one that the drill has put aside.
    if drills_timer == "is over" and not any(notice.kind == "standby" for notice in notices):
        await disarm_aside(cluster)
    return outcome(active=active, whole=whole, notices=[notice.text for notice in notices])


async def _afterwards(cluster: Cluster, runtime: Runtime) -> tuple[str | None, bool, Sequence[Notice]]:
    """The node that runs the service, whether it runs all of it, and the notices; asked for at once.

    Raises what `Runtime.active_node` does before anything else: it says why no node can be named.
    """
    reading = replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()})
    active, (tree, notices) = await both(
        runtime.active_node(reading), both(runtime.tree(reading), runtime.notices(reading))
    )
    return active, is_whole(tree), notices
