"""`squid-ha validate`: what is wrong with a declaration, without any host and without Pulumi."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from declaration.errors import DeclarationError, StackFileError
from operations.cli._arguments import AsJson
from operations.cli._console import err, out
from operations.cli._exit import FAILED
from operations.cli._stacks import every_stack
from operations.project import existing_stack_file, stack_file, stack_names
from operations.trouble import StackTrouble

if TYPE_CHECKING:
    from declaration.cautions import Caution
    from declaration.site import Site


@dataclass(frozen=True)
class _Valid:
    site: Site
    cautions: list[Caution]


def _stacks() -> list[str]:
    return stack_names()


def _path_of(site: str) -> Path:
    if "/" in site or site.endswith((".yaml", ".yml")):
        return Path(site)
    return existing_stack_file(site, f"; `squid-ha init {site}`")


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
    as_json: AsJson = False,
) -> None:
    """Check declarations: every mistake with its line and what would be right. Contacts no host."""
    chosen = {site: _path_of(site) for site in sites} if sites else {name: stack_file(name) for name in every_stack()}
    if not chosen:
        raise StackTrouble("there is no stack to check yet; `squid-ha init NAME` writes one.")
    found = _with_shared({site: _read(path) for site, path in chosen.items()}, chosen)
    if as_json:
        document = {"stacks": [_as_data(site, declared) for site, declared in found.items()]}
        out.document(json.dumps(document, indent=2))
    else:
        _tell(found)
    if any(isinstance(declared, Exception) for declared in found.values()):
        raise typer.Exit(FAILED)


def _read(path: Path) -> _Valid | DeclarationError:
    from declaration.cautions import cautions_in
    from declaration.load import declared_in
    from operations.drill.stated import unknown_scenarios

    try:
        declared = declared_in(path)
        declared.refuse(list(unknown_scenarios(declared.site)))
    except DeclarationError as error:
        return error
    return _Valid(declared.site, cautions_in(declared.site, declared.document.beside))


def _with_shared(
    found: Mapping[str, _Valid | DeclarationError], paths: Mapping[str, Path]
) -> dict[str, _Valid | DeclarationError]:
    """The same, with cautions about what several files name; a file that was given twice shares nothing."""
    from declaration.same_hosts import shared

    files = {name: paths[name].resolve() for name in found}
    made = dict(found)
    for name, declared in found.items():
        if isinstance(declared, _Valid):
            others = {
                other: each.site
                for other, each in found.items()
                if isinstance(each, _Valid) and files[other] != files[name]
            }
            made[name] = replace(declared, cautions=[*declared.cautions, *shared(declared.site, others)])
    return made


def _tell(found: Mapping[str, _Valid | DeclarationError]) -> None:
    for site, declared in found.items():
        if isinstance(declared, DeclarationError):
            err.print(escape(str(declared)) + "\n")
            continue
        out.print(f"{site}: valid, {_in_words(declared.site)}", markup=False)
        for caution in declared.cautions:
            err.print(f"{site}: warning: {caution}", markup=False)


def _as_data(site: str, declared: _Valid | DeclarationError) -> dict[str, object]:
    """``message`` is why there is no declaration to look at, '' where there is one."""
    wrong = declared if isinstance(declared, DeclarationError) else None
    return {
        "stack": site,
        "valid": wrong is None,
        "message": wrong.reason if isinstance(wrong, StackFileError) else "",
        "mistakes": [asdict(mistake) for mistake in wrong.mistakes] if wrong else [],
        "warnings": [] if isinstance(declared, DeclarationError) else [asdict(each) for each in declared.cautions],
    }
