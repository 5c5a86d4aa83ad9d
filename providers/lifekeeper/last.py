"""Which half of a mirror was in service last, as DataKeeper notes it in files on each node.

The last source bears a file that says so, and a second one that bars it while it has not heard its target. Facts:
SteelEye Protection Suite for Linux, technical documentation, DataKeeper, Failover Scenarios and Server Failure; the
grammar's `files`.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.connection.cluster import Node
from providers.connection.command import script

NETRAID = "/opt/LifeKeeper/subsys/scsi/resources/netraid"
LAST_OWNER, DATA_CORRUPT = "last_owner", "data_corrupt"
# $1 folder, then tags: those of the two files that are there, a line each.
_NOTES = r"""
folder=$1
shift
for tag do
    for note in last_owner data_corrupt; do
        if [ -e "$folder/${tag}_$note" ]; then printf '%s %s\n' "$note" "$tag"; fi
    done
done
"""


def file(tag: str) -> str:
    """The file that the last source bears."""
    return f"{NETRAID}/{tag}_{LAST_OWNER}"


async def notes(node: Node, mirrors: Sequence[str]) -> set[tuple[str, str]]:
    """`LAST_OWNER` or `DATA_CORRUPT`, and the mirror of which it is noted on this node; LifeKeeper need not run."""
    asking = script(_NOTES, NETRAID, *mirrors, label="look for the last source of the mirror", reads=True)
    lines = (await node.run(asking)).stdout.splitlines()
    return {(note, tag) for note, _, tag in (line.partition(" ") for line in lines)}
