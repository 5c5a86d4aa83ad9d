"""Arguments that many commands have, with what a shell completes them to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from declaration.errors import DeclarationError
from operations.project import stack_file, stack_names
from operations.trouble import Misused, StackTrouble

if TYPE_CHECKING:
    from operations.site import Hosts


def stacks() -> list[str]:
    """Names of all stacks."""
    return stack_names()


def nodes(context: typer.Context) -> list[str]:
    """Names of the nodes of the stack that stands before on the command line; none while that is not there."""
    return nodes_of(next(iter(words_before(context, "stack")), ""))


def senders(context: typer.Context) -> list[str]:
    """Where requests can come from: the machine that the command runs on, and the nodes of the stack before."""
    return senders_of(next(iter(words_before(context, "stack")), ""))


def senders_of(stack: str) -> list[str]:
    """The same for a stack by its name."""
    from operations.verify.requests import HERE

    return [HERE, *nodes_of(stack)]


def words_before(context: typer.Context, name: str) -> list[str]:
    """The words of the argument ``name`` that stand before what is being completed."""
    given: str | list[str] | None = context.params.get(name)
    if not given:
        # While an option still has no value, the line cannot be parsed: its words are not any argument's yet.
        return list(context.args)
    return [given] if isinstance(given, str) else list(given)


def nodes_of(stack: str) -> list[str]:
    """Names of the nodes of a stack; none where there is no such stack, or its declaration is wrong."""
    from declaration.load import from_stack_file

    with contextlib.suppress(DeclarationError, StackTrouble, OSError):
        return [node.name for node in from_stack_file(stack_file(stack)).nodes]
    return []


StackName = Annotated[str, typer.Argument(help="The site's stack.", metavar="STACK", autocompletion=stacks)]
NodeName = Annotated[str, typer.Argument(help="Name of the node.", metavar="NODE", autocompletion=nodes)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def pair_of(stack: str, node: str = "") -> Hosts:
    """The hosts of a stack with two nodes, of which ``node`` is one if it is given.

    Raises `Misused` where there is no such stack or node, `Refused` where the site has a single node and no engine.
    """
    from operations.site import hosts_of
    from providers.connection.errors import Refused

    hosts = hosts_of(stack)
    if hosts.site.virtual_ip is None:
        raise Refused(f"stack `{stack}` has a single node and no engine; see `systemctl status squid` on it.")
    names = [each.name for each in hosts.site.nodes]
    if node and node not in names:
        raise Misused(f"`{node}` is no node of stack `{stack}`; its nodes are {' and '.join(names)}.")
    return hosts
