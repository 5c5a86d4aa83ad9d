"""The node's own name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command
from providers.host import facts

NAME = "hostname"


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """`uname -n`, which is what cluster engines and mirrors go by."""
    return [facts.HOSTNAME]


def judge(asked: Asked) -> Iterator[Finding]:
    """Another name is another node, or this one under a wrong name."""
    there, declared = asked.out[0].strip(), asked.node.name
    if there == declared:
        yield asked.ok(NAME, f"calls itself {there}, as declared")
    else:
        yield asked.problem(
            NAME,
            f"calls itself {there}, but {declared} is declared",
            f"check that {asked.node.connect_to} is {declared}'s address; else `hostnamectl hostname {declared}` there",
        )
