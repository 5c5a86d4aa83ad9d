"""`squid-ha plan`: the command lines that an engine would be given, without any node."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from operations.cli._arguments import AsJson, StackName
from operations.cli._console import out
from operations.project import existing_stack_file
from operations.trouble import Misused


def command(
    stack: StackName,
    commands: Annotated[
        bool, typer.Option("--commands", help="Every command line for fresh nodes, in order, with its certainty.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the command lines that fresh nodes would get, for checking by eye. Contacts no host.
    Only for `engine: lifekeeper`.
    """
    from declaration.load import from_stack_file
    from operations.plan import as_data, render, rows
    from operations.site import project

    if not commands:
        raise Misused("add --commands; what a change would do is shown by `pulumi preview --diff`.")
    found = rows(from_stack_file(existing_stack_file(stack)), f"{project()}/{stack}")
    if as_json:
        out.document(json.dumps(as_data(stack, found), indent=2))
    else:
        out.print(render(found))
