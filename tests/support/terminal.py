"""The command line as an operator calls it, within the tests' process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import typer
from typer import testing
from typer.testing import CliRunner, Result

from operations.cli import _app

# Typer makes every command of an application anew, from all signatures, each time that one is run.
testing.__dict__["_get_command"] = cache(typer.main.get_command)


@cache
def _alone(command: Callable[..., None]) -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app


def squid_ha(*words: str, typed: str = "") -> Result:
    """`squid-ha` with these words."""
    return CliRunner().invoke(_app.build(), list(words), input=typed)


def alone(command: Callable[..., None], words: Sequence[str]) -> Result:
    """One command's function as an application of its own."""
    return CliRunner().invoke(_alone(command), list(words))
