"""What runs on a node is left alone by its cluster while packages change there: a script's restart is no failure.

Each engine has a pause of its own (`providers.pauses`). What was set before is in the journals from before it is
entered until after it is left, so that a run that was cut off is followed by one that leaves it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from providers.connection.cluster import Cluster
from providers.connection.errors import HostError
from providers.pauses import Leave, pauses


async def held(cluster: Cluster, names: Sequence[str], work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work``, which changes packages on these nodes, while what protects services there acts on nothing.

    With no names it only leaves what a run that was cut off has entered. Raises `Refused` before ``work`` where a
    pause cannot be entered, and `TimedOut` when a cluster does not come back; it is paused then.
    """
    entered: list[Leave] = []
    try:
        for pause in pauses():
            entered += [await pause.enter(cluster, names)]
        await work()
    except HostError:
        # What failed is what the person has to know; what cannot be left now is left by the next run.
        for leave in entered:
            with contextlib.suppress(HostError):
                await leave()
        raise
    for leave in entered:
        await leave()


async def give_up(cluster: Cluster) -> None:
    """Leave for good what a run that was cut off has entered, before packages are taken away."""
    for pause in pauses():
        await pause.give_up(cluster)
