"""A move that somebody asked for, noted where the service goes, so that the alerts there take it for no failover."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import HostError
from providers.host.alert import SPOOL

STATE = f"{SPOOL}/state"
"""Where the regular look of the alerts keeps what it has seen; not there without alerts."""

# $1 folder. Nobody is held up for it.
_NOTE = '[ ! -d "$1" ] || : >"$1/planned" || :'
_FORGET = 'rm -f -- "$1/planned"'


async def note(cluster: Cluster, to: str) -> None:
    """The service is about to come to ``to`` because somebody asked for it."""
    await cluster.node(to).run(script(_NOTE, STATE, ok=None, label="note for the alerts that a move was asked for"))


async def forget(cluster: Cluster, to: str) -> None:
    """It has not come: what comes to ``to`` later nobody asked for. A node that does not answer keeps the note."""
    with suppress(HostError):
        await cluster.node(to).run(script(_FORGET, STATE, ok=None, label="forget that a move was asked for"))


@asynccontextmanager
async def noted(cluster: Cluster, to: str) -> AsyncGenerator[None]:
    """Noted while the move goes on, and forgotten if it fails; one whose run is interrupted may go on without it."""
    await note(cluster, to)
    try:
        yield
    except Exception:
        await forget(cluster, to)
        raise
