"""A member of the cluster that somebody else has defined, and that stays as it was found: looked at, never written.

Another definition is drift, which `up` refuses to repair, because nobody here knows the old one; `destroy` leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.host.digest import AS_FOUND
from providers.pacemaker import definition, journals, live, service
from providers.pacemaker.live import Live
from providers.reconcile import Difference


class Wanted(State):
    """``id`` of a primitive; ``definition`` is its digest (`providers.pacemaker.definition`). ``runs``: somewhere, as
    the promoted one where it can be; where is nobody's declaration."""

    id: str
    definition: str | None
    runs: bool = True


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Its definition, and whether it runs. Raises `Unknown` where no node can tell, or while it is being moved."""
    current = await live.read(cluster)
    if not _running(current, wanted.id):
        if not await live.settle(current.node, limit=15):
            raise Unknown("the cluster is moving its resources just now", remedy="run this again when it has settled")
        current = await live.read(cluster)
    seen = definition.digest(current.cib, wanted.id)
    if seen is None:
        return Absent()
    nodes = _running(current, wanted.id)
    return Present(Wanted(id=wanted.id, definition=seen, runs=bool(nodes)), {"nodes": nodes})


def _running(current: Live, name: str) -> list[str]:
    return current.monitor.running(name, promoted=service.promotable(current.cib, name))


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Nothing, where it is as it was found. Raises `Refused` where it is gone or does not run.

    It is read anew: what was seen may be older than the lock.
    """
    seen = await observe(cluster, wanted)
    if isinstance(seen, Absent):
        raise Refused(
            f"the cluster has no resource `{wanted.id}` any more, which was adopted as it was found",
            remedy="make it again there, or take it out of `pacemaker.adopted.members`",
        )
    if not seen.values.runs:
        raise Refused(
            f"`{wanted.id}` does not run; it was adopted as it was found, so nothing here starts it",
            remedy="see `squid-ha status` for why; then `squid-ha cleanup`, or start it there",
        )


def as_found(wanted: Wanted, changed: Sequence[Difference]) -> tuple[str, str]:
    """What has changed, and what to do, for the refusal to bring it back."""
    now = str(changed[0].found or "").removeprefix(AS_FOUND)
    remedy = "bring it back with the tool that changed it; if it is to stay as it is now, say so in"
    return f"the definition of `{wanted.id}`", f"{remedy} `pacemaker.adopted.members`: `sha256: {now}`"


async def remove(cluster: Cluster, wanted: Wanted) -> None:  # noqa: ARG001 - it is somebody else's
    """Nothing on the cluster: it was there before."""
    await journals.forget(cluster)
