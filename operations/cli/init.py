"""`squid-ha init`: the stack file of a new site, with the settings explained in it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from declaration.engines import Engine
from operations.cli._arguments import AsJson
from operations.cli._console import err, out
from operations.project import stack_file

_LAST_PHASE = 3


def command(
    name: Annotated[str, typer.Argument(help="Name of the stack, such as `lyon`.")],
    phase: Annotated[
        int,
        typer.Option(min=1, max=_LAST_PHASE, help="1: one node. 2: two nodes and a virtual IP. 3: and a mirror."),
    ] = _LAST_PHASE,
    engine: Annotated[Engine, typer.Option(help="What keeps the service running.")] = "pacemaker",
    as_json: AsJson = False,
    stack: Annotated[bool, typer.Option("--stack/--no-stack", help="Let Pulumi know the stack too.")] = True,
) -> None:
    """Write stacks/Pulumi.NAME.yaml, a declaration to be filled in, and initialise its stack. Asks nothing."""
    from declaration.load import read
    from operations.stacks import ensure_stack, render, write_new

    path = stack_file(name)
    text = render("site.yaml.j2", phase=phase, stack=name, engine=engine)
    read(text, "stacks/templates/site.yaml.j2")
    write_new(path, text)
    tell = err if as_json else out
    tell.print(f"{path} written, phase {phase}.", markup=False)
    new: bool | None = None
    try:
        new = ensure_stack(name) if stack else None
    finally:
        # The file is there, whatever becomes of the stack.
        if as_json:
            document = {"stack": name, "phase": phase, "written": str(path), "initialised": new}
            out.document(json.dumps(document, indent=2))
    if new is not None:
        tell.print(f"Stack {name} {'initialised' if new else 'was there already'}.", markup=False)
    known = [] if stack else [f"pulumi stack init {name}"]
    steps = [f"squid-ha validate {name}", *known, f"pulumi preview -s {name}", f"pulumi up -s {name}"]
    tell.print(f"Next: edit it, {', '.join(f'`{each}`' for each in steps)}.", markup=False)
