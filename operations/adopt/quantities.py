"""Times and sizes, out of Squid's language into the declaration's.

Source: ``parseTimeLine`` and ``parseBytesLine`` in src/cache_cf.cc of Squid 6: a number, which may have a fraction, and
a unit, in capital or small letters; without a unit a size is in bytes, and a time a mistake.
"""

from __future__ import annotations

import re
from fractions import Fraction

from declaration.quantities import Duration

_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_SECONDS = {
    "millisecond": Fraction(1, 1000), "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800,
    "fortnight": 1_209_600, "month": 2_592_000,
}  # fmt: skip
_BYTES = {"bytes": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_LETTERS = {"kb": "k", "mb": "M", "gb": "G"}
WHOLE_SECONDS = "a time that is not of whole seconds, one at least"
WHOLE_SIZE = "a size that is not of whole kilobytes, or too small or too large"


def seconds(text: str) -> str | None:
    """A time of squid.conf as the declaration writes it; None for what is none, and for what are not whole seconds."""
    found = re.fullmatch(rf"{_NUMBER} ([a-z]+?)s?", text.strip().lower())
    if found is None or found[2] not in _SECONDS:
        return None
    length = Fraction(found[1]) * _SECONDS[found[2]]
    return str(Duration.of_milliseconds(int(length) * 1000)) if length.denominator == 1 else None


def some_seconds(text: str) -> str | None:
    """As `seconds`, and None for no time at all, which no limit may be."""
    made = seconds(text)
    return made if made and Duration(made).milliseconds else None


def size(text: str) -> str | None:
    """A size of squid.conf as the declaration writes it; None for what is none, and for nothing at all."""
    found = re.fullmatch(rf"{_NUMBER}(?: (bytes|kb|mb|gb))?", text.strip().lower())
    if found is None:
        return None
    unit, number = found[2] or "bytes", Fraction(found[1])
    if unit in _LETTERS and number.denominator == 1:
        return _written(int(number), _LETTERS[unit])
    length = number * _BYTES[unit]
    for name, letter in reversed(_LETTERS.items()):
        if (length / _BYTES[name]).denominator == 1:
            return _written(int(length / _BYTES[name]), letter)
    return None


def _written(number: int, letter: str) -> str | None:
    return f"{number}{letter}" if 0 < number < 10**9 else None
