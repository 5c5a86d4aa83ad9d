"""What the pause of an engine offers to those who change packages; modules satisfy it by their functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

from providers.connection.cluster import Cluster

Leave: TypeAlias = Callable[[], Awaitable[None]]


class Pause(Protocol):
    """The names under which its journals have what it was before begin with ``pending``, so that the next run comes."""

    def enter(self, cluster: Cluster, names: Sequence[str]) -> Coroutine[Any, Any, Leave]:
        """Enter it if this engine runs on one of these nodes. What leaves it also leaves what an earlier run entered.

        Raises `Refused` where it cannot be entered.
        """
        ...

    def give_up(self, cluster: Cluster) -> Coroutine[Any, Any, None]:
        """Leave what an earlier run has entered, before packages are taken away; what no longer runs is not asked."""
        ...
