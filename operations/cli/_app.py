"""The application: commands found by module, errors turned into sentences."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from operations import cli
from operations.cli._console import OutputLost, err, out, prepare
from operations.cli._errors import expected
from operations.cli._exit import INTERRUPTED, code_of

app = typer.Typer(
    name="squid-ha",
    help="A highly available Squid proxy pair: what an operator does besides `pulumi up`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Command(TyperCommand):
    """A command of which a program that asked for JSON gets one document in each case.

    Where it ends with an error before it has printed any, that is the error with its exit code; of a fault of this
    program, what it is called as well.
    """

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 Typer brings a click of its own, and exports no class of it
        """Run it; errors go on as they are."""
        before = out.documents
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            if ctx.params.get("as_json") and out.documents == before:
                _print_document(error)
            raise


def _print_document(error: Exception) -> None:
    """The document that stands for an error. Where it cannot be printed that is told, and hides not the error."""
    foreseen = isinstance(error, expected())
    said = str(error) if foreseen else f"{type(error).__name__}: {error}"
    try:
        out.document(json.dumps({"error": said, "exit_code": code_of(error) if foreseen else _FAULT}))
    except OutputLost as lost:
        err.print(str(lost), markup=False)


_FAULT = 1
"""Exit code of what nobody foresaw."""


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"squid-ha {version('squid-ha')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A highly available Squid proxy pair: what an operator does besides `pulumi up`."""


def commands() -> Iterator[tuple[str, ModuleType]]:
    """Name and module of each command."""
    for found in pkgutil.iter_modules(cli.__path__):
        if not found.name.startswith("_"):
            yield found.name.replace("_", "-"), importlib.import_module(f"{cli.__name__}.{found.name}")


def build() -> typer.Typer:
    """The application with all its commands and groups of commands."""
    there = {known.name for known in (*app.registered_commands, *app.registered_groups)}
    for name, module in commands():
        if name in there:
            continue
        if hasattr(module, "app"):
            for each in module.app.registered_commands:
                each.cls = Command
            app.add_typer(module.app, name=name, no_args_is_help=True)
        else:
            app.command(name, cls=Command)(module.command)
    return app


def main() -> None:
    """Run the command line, see `operations.cli` for the exit codes."""
    prepare()
    try:
        build()()
    except Exception as error:
        if not isinstance(error, expected()):
            raise
        err.print(escape(str(error)))
        sys.exit(code_of(error))
    except KeyboardInterrupt as interrupt:
        _interrupted(interrupt)
    except SystemExit as ended:
        interrupt = _interrupt_of(ended) if ended.code == INTERRUPTED else None
        if interrupt is None:
            raise
        _interrupted(interrupt)


def _interrupt_of(ended: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that Typer has made an exit of."""
    while ended is not None and not isinstance(ended, KeyboardInterrupt):
        ended = ended.__cause__ or ended.__context__
    return ended


def _interrupted(interrupt: KeyboardInterrupt) -> None:
    """End, and say what `providers.connection.loop.run_sync` has found of what was begun and not taken back."""
    trouble = interrupt.__cause__
    if trouble is not None:
        why = str(trouble) if isinstance(trouble, expected()) else f"{type(trouble).__name__}: {trouble}"
        err.print(f"interrupted, and perhaps not all is taken back: {why}", markup=False)
    sys.exit(INTERRUPTED)
