"""Answers of a node that are not in the shape in which a parser takes them."""

from __future__ import annotations

from providers.connection.errors import Unknown


def not_understood(what: str) -> Unknown:
    """For an answer that was cut off, or printed by a release that prints otherwise; ``what`` names it.

    It does not tell what was said, which nobody has masked.
    """
    return Unknown(
        f"{what} is not understood",
        remedy="run this again; if it is told then too, please report it with this line",
    )
