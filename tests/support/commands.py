"""The commands of `squid-ha` as it knows them: for what has to hold of each."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from operations.cli import _app


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Every command by its words, such as ``("node", "aside")``; groups of commands are none themselves."""
    return dict(_below(typer.main.get_command(_app.build()), ()))


def _below(found: Any, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if not hasattr(found, "commands"):
        return [(words, found)]
    return [leaf for name, each in found.commands.items() for leaf in _below(each, (*words, name))]
