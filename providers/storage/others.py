"""DRBD resources of others that use the disk or the volume of one that is to be made: drbdadm then takes no command."""

from __future__ import annotations

from providers.connection.cluster import Node
from providers.connection.command import script
from providers.connection.errors import Refused

# A line per volume and per disk of each resource, then the disk's own name. $1: the resource that is left out; $2 disk.
_LISTED = r"""
command -v drbdadm >/dev/null || exit 0
for resource in $(drbdadm sh-resources 2>/dev/null </dev/null); do
    [ "$resource" != "$1" ] || continue
    for used in $(drbdadm sh-dev "$resource" 2>/dev/null </dev/null) \
        $(drbdadm sh-ll-dev "$resource" 2>/dev/null </dev/null); do
        echo "$resource $used $(readlink -f -- "$used" || echo "$used")"
    done
done
readlink -f -- "$2" || printf '%s\n' "$2"
"""


async def refuse_shared(node: Node, resource: str, volume: str, disk: str) -> None:
    """Raises `Refused` where another resource on the node has this volume or disk; its file is left alone."""
    asking = script(_LISTED, resource, disk, reads=True, label="drbdadm sh-resources")
    *listed, real = (await node.run(asking)).stdout.splitlines() or [""]
    for line in listed:
        name, *used = line.split()
        if shared := {volume, disk, real} & set(used):
            raise Refused(
                f"DRBD's resource {name} uses {disk if real in shared else min(shared)} already",
                node=node.name,
                remedy="leave it as it is (`pacemaker.adopted`, docs/adopt.md), or take it down and its file away: "
                "its data stays",
            )
