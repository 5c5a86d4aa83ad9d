"""Squid's cache: in memory, and on disk if wanted."""

from __future__ import annotations

from typing import Literal

from declaration.quantities import Size
from declaration.types import Settings


class Disk(Settings):
    """A cache on disk (`cache_dir aufs`). A change of it restarts Squid, which does not take it while running."""

    size: Size
    """How much it may hold, at least 16M. What the index takes comes on top: about 14 MB of memory for each GB."""

    where: Literal["local", "mirror"] = "local"
    """`local`: each node has its own. `mirror`: on the mirror, where it goes with the service; it takes room from the
    log and its writes cross the network."""

    max_object: Size = "4M"
    """The largest object that is kept on disk."""


class Cache(Settings):
    """What is kept of the answers."""

    memory: Size = "256M"
    """Memory for objects in use and popular ones, at least 1M. Squid's process takes more than this."""

    max_object_in_memory: Size = "512k"
    """The largest object that is kept in memory."""

    disk: Disk | None = None
    """A cache on disk; without it there is none."""
