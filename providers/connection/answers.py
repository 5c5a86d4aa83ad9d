"""Answers of a node that are not in the shape in which a parser takes them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from providers.connection.errors import Unknown


class NotUnderstood(Unknown):
    """An answer in another shape. Parsers are given texts, and whoever asked for one names the node (`told_by`)."""

    def __init__(self, what: str, *, node: str = "") -> None:
        self.what = what
        super().__init__(
            f"{what} is not understood",
            node=node,
            remedy="run this again; if it is told then too, please report it with this line",
        )


def not_understood(what: str) -> NotUnderstood:
    """For an answer that was cut off, or printed by a release that prints otherwise; ``what`` names it.

    It does not tell what was said, which nobody has masked.
    """
    return NotUnderstood(what)


@contextmanager
def told_by(node: str) -> Generator[None]:
    """What is not understood in here was said by this node, unless it is told already by which."""
    try:
        yield
    except NotUnderstood as error:
        if error.node:
            raise
        raise NotUnderstood(error.what, node=node) from error
