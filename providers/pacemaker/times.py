"""Time spans as Pacemaker writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from providers.pacemaker.model import Operation

_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}
DEFAULT_TIMEOUT = 20.0
"""Pacemaker's own limit for an operation that names none (Pacemaker Explained, "Operation Properties")."""


def seconds(text: str) -> float:
    """``90s``, ``10min``, ``500ms`` or a bare number of seconds. Raises `ValueError` for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no time span such as 90s, 10min or 500ms")
    return int(match[1]) * _UNITS[match[2]]


def limit(operations: Iterable[Operation], *names: str) -> float:
    """Seconds that the named operations may take one after the other."""
    known = {operation.name: operation.timeout for operation in operations if operation.name in names}
    timeouts = (known.get(name) for name in names)
    return sum(seconds(timeout) if timeout else DEFAULT_TIMEOUT for timeout in timeouts)
