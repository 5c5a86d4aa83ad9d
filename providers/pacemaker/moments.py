"""Moments as crm_mon writes them; its releases differ."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?")
_CTIME = "%a %b %d %H:%M:%S %Y"


def seconds(text: str) -> float | None:
    """Seconds since the epoch: with or without fractions, with a zone or, being UTC then, without; None for others.

    What is written as ctime(3) does is in the node's own zone, so that only two of them can be compared.
    """
    try:
        if match := _ISO.match(text):
            zone = (match[3] or "Z").replace("Z", "+00:00")
            return datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").astimezone(UTC).timestamp()
        return datetime.strptime(text, _CTIME).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
