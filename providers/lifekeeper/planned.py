"""A move that somebody asked for, noted where the service goes, so that the alerts there take it for no failover."""

from __future__ import annotations

from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.host.alert import SPOOL

STATE = f"{SPOOL}/state"
"""Where the regular look of the alerts keeps what it has seen; not there without alerts."""

# $1 folder. Nobody is held up for it.
_NOTE = '[ ! -d "$1" ] || : >"$1/planned" || :'


async def note(cluster: Cluster, to: str) -> None:
    """The service is about to come to ``to`` because somebody asked for it."""
    await cluster.node(to).run(script(_NOTE, STATE, ok=None, label="note for the alerts that a move was asked for"))
