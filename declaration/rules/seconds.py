"""Times that tools count in whole seconds."""

from __future__ import annotations

from collections.abc import Iterator

from declaration.errors import Mistake
from declaration.quantities import Duration


def whole_seconds(path: str, value: Duration, least: int = 1) -> Iterator[Mistake]:
    """A mistake for a time with a fraction of a second, or below ``least`` seconds."""
    if value.seconds < least or not value.is_whole:
        yield Mistake(path, value, f"whole seconds, at least `{least}s`")
