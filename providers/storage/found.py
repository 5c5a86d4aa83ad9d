"""A DRBD resource that somebody else has set up, and that stays as it was found: looked at, never written.

Another configuration is drift, which `up` refuses to repair, because nobody here knows the old one; `destroy` leaves
it, and all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.host.digest import AS_FOUND
from providers.host.waiting import until
from providers.reconcile import Difference
from providers.storage import drbd
from providers.storage.status import Status, parse

# A line per resource: name and digest. As drbdadm has read it, from whatever files; comments name the host, and the
# secret stays on the node.
_DIGESTS = r"""
command -v drbdadm >/dev/null || exit 0
for resource in $(drbdadm sh-resources 2>/dev/null </dev/null); do
    told=$(drbdadm dump "$resource" 2>/dev/null </dev/null) || continue
    told=$(printf '%s\n' "$told" | sed -e '/^[[:space:]]*#/d' -e '/shared-secret/d' -e 's/[[:space:]]\{1,\}/ /g' |
        sha256sum)
    echo "$resource ${told%% *}"
done
"""
SETTLED_WITHIN = 20
"""Seconds that a connection or an attachment may take to come to rest."""


class NodeFound(State):
    """``configuration``: the digest of what drbdadm reads there, None where it knows no such resource."""

    configuration: str | None
    attached: Literal["yes", "no"] = "yes"


class Wanted(State):
    """``resource`` is DRBD's name. ``connected``: the halves reach each other; ``no`` where only one node is there."""

    resource: str
    connected: Literal["yes", "no"] = "yes"
    nodes: dict[str, NodeFound]


DIGESTS = script(_DIGESTS, reads=True, label="drbdadm dump")
"""Prints what `digests` reads."""


def digests(text: str) -> dict[str, str]:
    """Resource → the digest of its configuration without its secret, of all that drbdadm knows on a node."""
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """What is there. A synchronisation under way is no drift; a state that passes is waited for.

    Raises `Unknown` if it does not pass within `SETTLED_WITHIN`.
    """

    async def read(node: Node) -> tuple[str, Status]:
        told, said = await node.batch([DIGESTS, drbd.status(wanted.resource)])
        return digests(told.stdout).get(wanted.resource, ""), parse(said.stdout, wanted.resource)

    seen, settled = await until(
        lambda: cluster.each(read, list(wanted.nodes)),
        lambda found: all(status.settled for _, status in found.values()),
        limit=SETTLED_WITHIN,
    )
    if not any(text for text, _ in seen.values()):
        return Absent()
    if not settled:
        states = ", ".join(f"{name}: {status.connection}/{status.disk}" for name, (_, status) in seen.items())
        raise Unknown(f"the mirror {wanted.resource} stays in transition ({states})")
    nodes = {
        name: NodeFound(configuration=AS_FOUND + text if text else None, attached="yes" if status.attached else "no")
        for name, (text, status) in seen.items()
    }
    connected = len(seen) > 1 and all(status.connected for _, status in seen.values())
    facts = {name: {"role": status.role, "disk": status.disk} for name, (_, status) in seen.items()}
    return Present(wanted.model_copy(update={"nodes": nodes, "connected": "yes" if connected else "no"}), facts)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Nothing, where it is as it was found. Raises `Refused` where it is gone, or the halves do not meet.

    It is read anew: what was seen may be older than the lock.
    """
    seen = await observe(cluster, wanted)
    if isinstance(seen, Absent):
        raise Refused(
            f"DRBD knows no resource `{wanted.resource}` any more, which was adopted as it was found",
            remedy="bring its configuration back on the nodes, or take it out of `pacemaker.adopted.mirror`",
        )
    lost = sorted(name for name, node in seen.values.nodes.items() if node.attached != "yes")
    if lost or seen.values.connected != wanted.connected:
        what = f"has no disk on {', '.join(lost)}" if lost else "does not reach its other half"
        raise Refused(
            f"the mirror {wanted.resource} {what}; it was adopted as it was found, so nothing here mends it",
            remedy="see `squid-ha status` and docs/runbook.md, and mend it there",
        )


def as_found(wanted: Wanted, changed: Sequence[Difference]) -> tuple[str, str]:
    """What has changed, and what to do, for the refusal to bring it back."""
    digests_now = sorted({str(each.found or "").removeprefix(AS_FOUND) for each in changed})
    new = f": `sha256: {digests_now[0]}`" if len(digests_now) == 1 else ", once it is the same on both nodes"
    remedy = "bring it back there; if it is to stay, or only the tools that print it were upgraded, say so in"
    return f"the configuration of DRBD's resource {wanted.resource}", f"{remedy} `pacemaker.adopted.mirror`{new}"


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Nothing on the nodes: it was there before."""
    await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))
