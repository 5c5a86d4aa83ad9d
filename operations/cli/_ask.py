"""Asking before something that cannot be taken back: the answer is a word to be typed, not a key."""

from __future__ import annotations

import sys

from rich.markup import escape

from operations.cli._console import err
from providers.connection.errors import Refused


def somebody() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def typed(question: str, word: str, option: str) -> None:
    """Go on only if ``word`` is typed. Raises `Refused` otherwise, or where nobody is there to type.

    ``option`` is what a script gives instead.
    """
    if not somebody():
        raise Refused("nobody is there to be asked", remedy=f"`{option}` says it without being asked")
    err.print(escape(question))
    # Not typer's prompt, for which Ctrl-C is an answer like the end of the input.
    try:
        answer = err.input(escape(f"Type `{word}` to go on: "))
    except EOFError:
        answer = ""
    if answer.strip() != word:
        raise Refused("not confirmed, so nothing was changed")
