"""The operating system, against the declared platform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command
from providers.host import facts

NAME = "platform"


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """os-release(5)."""
    return [facts.OS_RELEASE]


def judge(asked: Asked) -> Iterator[Finding]:
    """The very release: names of packages, units and paths come from it."""
    there, declared = facts.parse_platform(asked.out[0]), asked.site.platform
    if there == declared:
        yield asked.ok(NAME, f"{there}, as declared")
    else:
        yield asked.problem(
            NAME, f"{there}, but {declared} is declared", "declare the platform that the nodes have, or reinstall it"
        )
