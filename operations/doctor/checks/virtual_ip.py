"""Whether somebody else has the virtual IP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, script
from providers.host import facts

NAME = "virtual-ip"

# $1 address. A host that refuses pings still answers who has the address, and that is in the neighbours' table then;
# what the kernel remembers from before is forgotten first.
_LOOK = r"""
ip neighbour flush to "$1" 2>/dev/null
ping -n -c 1 -W 1 "$1" >/dev/null 2>&1 && echo answers
ip neighbour show to "$1"
"""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """Ask who has it, and see what is on the node itself."""
    if site.virtual_ip is None:
        return []
    return [script(_LOOK, str(site.virtual_ip), timeout=10, reads=True, label="look who has it"), facts.ADDRESSES]


def judge(asked: Asked) -> Iterator[Finding]:
    """On one of the nodes it may be this site's own; elsewhere it is somebody's."""
    address = str(asked.site.virtual_ip)
    holders = [name for name, results in {asked.node.name: asked.results, **asked.others}.items()
               if any(address in each for each in facts.parse_addresses(results[1].stdout).values())]  # fmt: skip
    taken = "answers" in asked.out[0].split() or "lladdr" in asked.out[0]
    if holders and asked.ours:
        yield asked.ok(NAME, f"{address} is on {' and '.join(holders)}, which this stack owns")
    elif asked.node.name in holders:
        yield asked.problem(
            NAME,
            f"{address} is on this node already",
            "take it off its network configuration, because the engine puts it there (or see `squid-ha adopt`)",
        )
    elif taken and not holders:
        yield asked.problem(
            NAME,
            f"another host has {address}",
            "find it (`ip neighbour` shows its hardware address), or declare a free address",
        )
    else:
        yield asked.ok(NAME, f"{address} is free" if not holders else f"{address} is on {' and '.join(holders)}")
