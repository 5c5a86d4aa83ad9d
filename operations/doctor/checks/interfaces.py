"""Interfaces and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command
from providers.host import facts

NAME = "interfaces"


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """All addresses."""
    return [facts.ADDRESSES]


def judge(asked: Asked) -> Iterator[Finding]:
    """Each declared address on its interface."""
    there = facts.parse_addresses(asked.out[0])
    for interface, address in _declared(asked.site, asked.node):
        if interface not in there:
            known = ", ".join(name for name in there if name != "lo")
            yield asked.problem(
                NAME, f"there is no interface {interface} (there are {known})", "correct `network` in the site's file"
            )
        elif address in there[interface]:
            yield asked.ok(NAME, f"{interface} bears {address}")
        else:
            elsewhere = next((name for name, all_of in there.items() if address in all_of), "")
            seen = f"{interface} does not bear {address}" + (f", which is on {elsewhere}" if elsewhere else "")
            yield asked.problem(NAME, seen, "correct `network` or the node's addresses, or set the interface up there")


def _declared(site: Site, node: Node) -> Iterator[tuple[str, str]]:
    yield site.network.public.interface, str(node.address)
    if site.network.replication is not None and node.replication_address is not None:
        yield site.network.replication.interface, str(node.replication_address)
