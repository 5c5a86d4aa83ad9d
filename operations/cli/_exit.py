"""Exit codes, the same for all commands; the table stands in `operations.cli`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from operations.trouble import Misused

DONE = 0
FAILED = 1
USAGE = 2
DIFFERS = 3
UNREACHABLE = 4
REFUSED = 5
INTERRUPTED = 130
"""As a shell says it of what was ended by Ctrl-C."""


def worst(codes: Iterable[int]) -> int:
    """The one that counts for several sites: error before unreachable before refused before differs before done."""
    return max(codes, key=(DONE, DIFFERS, REFUSED, UNREACHABLE, FAILED).index, default=DONE)


def code_of(error: Exception) -> int:
    """The exit code for an error that is written for people (`_errors.expected`)."""
    if isinstance(error, Misused):
        return USAGE
    if "providers.connection.errors" not in sys.modules:
        return FAILED
    from providers.connection import errors  # never loaded only for this

    if isinstance(error, errors.Unreachable | errors.Unknown):
        return UNREACHABLE
    if isinstance(error, errors.Refused | errors.Locked | errors.SudoRefused):
        return REFUSED
    return FAILED
