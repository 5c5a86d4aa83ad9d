"""Which of many positions a test takes: all of them in `make test-all`, else a few, others each time."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

ALL = bool(os.environ.get("SQUID_HA_ALL_CUTS"))
SEED = int(os.environ.get("SQUID_HA_SEED") or random.SystemRandom().randrange(10**6))
"""Set SQUID_HA_SEED to the number in a failure to take the same positions again."""


def drawn(count: int, most: int) -> Iterator[int]:
    """Positions from 1 to ``count``, in order: all, or at most ``most`` of them."""
    positions = range(1, count + 1)
    if ALL or count <= most:
        yield from positions
    else:
        yield from sorted(random.Random(SEED).sample(positions, most))
