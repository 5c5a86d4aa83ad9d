"""`squid-ha validate`: what is wrong with a declaration, without any host and without Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from declaration.cautions import cautions_of
from declaration.errors import DeclarationError
from declaration.load import from_stack_file
from declaration.site import Site
from operations.cli._console import err, out
from operations.stacks import Misused, StackTrouble, stack_file, stack_names


def _stacks() -> list[str]:
    return stack_names()


def _path_of(site: str) -> Path:
    if "/" in site or site.endswith((".yaml", ".yml")):
        return Path(site)
    path = stack_file(site)
    if not path.exists():
        known = ", ".join(f"`{name}`" for name in stack_names()) or "none yet"
        raise Misused(f"there is no stack `{site}`: {path} does not exist (known: {known}); `squid-ha init {site}`.")
    return path


def _in_words(site: Site) -> str:
    nodes = " and ".join(node.name for node in site.nodes)
    parts = [f"engine {site.engine}", f"virtual IP {site.virtual_ip}"] if site.virtual_ip else []
    parts += [f"mirror on {site.mirror.mount_point}"] if site.mirror else []
    return f"phase {site.phase}, {', '.join([nodes, *parts])}"


def command(
    sites: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stacks or files; all stacks without any.", metavar="[STACK|FILE]...", autocompletion=_stacks
        ),
    ] = None,
) -> None:
    """Check declarations: every mistake with its line and what would be right. Contacts no host."""
    chosen = sites or stack_names()
    if not chosen:
        raise StackTrouble("there is no stack to check yet; `squid-ha init NAME` writes one.")
    failed = False
    for site, path in [(site, _path_of(site)) for site in chosen]:
        try:
            declared = from_stack_file(path)
        except (DeclarationError, StackTrouble) as error:
            err.print(escape(str(error)) + "\n")
            failed = True
        else:
            out.print(f"{site}: valid, {_in_words(declared)}", markup=False)
            for caution in cautions_of(declared):
                err.print(f"{site}: warning: {caution}", markup=False)
    if failed:
        raise typer.Exit(1)
