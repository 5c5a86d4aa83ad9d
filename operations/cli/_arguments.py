"""Arguments that many commands have, with what a shell completes them to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from declaration.errors import DeclarationError
from operations.stacks import Misused, StackTrouble, stack_file, stack_names

if TYPE_CHECKING:
    from operations.site import Hosts


def stacks() -> list[str]:
    """Names of all stacks."""
    return stack_names()


def nodes(context: typer.Context) -> list[str]:
    """Names of the nodes of the stack that stands before on the command line; none while that is not there."""
    from declaration.load import from_stack_file  # noqa: PLC0415 slow

    with contextlib.suppress(DeclarationError, StackTrouble, OSError):
        return [node.name for node in from_stack_file(stack_file(context.params.get("stack") or "")).nodes]
    return []


StackName = Annotated[str, typer.Argument(help="The site's stack.", metavar="STACK", autocompletion=stacks)]
NodeName = Annotated[str, typer.Argument(help="Name of the node.", metavar="NODE", autocompletion=nodes)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def pair_of(stack: str, node: str = "") -> Hosts:
    """The hosts of a stack with two nodes, of which ``node`` is one if it is given.

    Raises `Misused` where there is no such stack or node, `Refused` where the site has a single node and no engine.
    """
    from operations.site import hosts_of  # noqa: PLC0415 slow
    from providers.connection.errors import Refused  # noqa: PLC0415 slow

    hosts = hosts_of(stack)
    if hosts.site.virtual_ip is None:
        raise Refused(f"stack `{stack}` has a single node and no engine; see `systemctl status squid` on it.")
    names = [each.name for each in hosts.site.nodes]
    if node and node not in names:
        raise Misused(f"`{node}` is no node of stack `{stack}`; its nodes are {' and '.join(names)}.")
    return hosts
