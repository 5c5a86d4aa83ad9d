"""Errors whose text is written for people: printed as they are, without a traceback."""

from __future__ import annotations

import sys

from declaration.errors import DeclarationError
from operations.cli._console import OutputLost
from operations.trouble import StackTrouble


def expected() -> tuple[type[Exception], ...]:
    """The classes of such errors. Those of connections count only if a command has loaded that much."""
    classes: list[type[Exception]] = [DeclarationError, StackTrouble, OutputLost]
    if "providers.connection.errors" in sys.modules:
        from providers.connection import errors  # never loaded only for this

        classes.append(errors.HostError)
    return tuple(classes)
