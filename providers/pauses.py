"""How each engine leaves alone what runs on a node while packages change there: a table of modules, one per engine.

Whoever changes packages knows no engine, and asks all of them: what runs on a node may be of another one than its site
is declared with. A module is loaded when it is asked.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from providers.connection.cluster import Cluster

Leave: TypeAlias = Callable[[], Awaitable[None]]

PAUSES: Mapping[str, str] = {
    "pacemaker": "providers.pacemaker.pause",
    "lifekeeper": "providers.lifekeeper.pause",
}
"""Engine → the module that satisfies `Pause` by its functions."""


class Pause(Protocol):
    """What the pause of an engine offers.

    The names under which its journals have what it was before begin with ``pending``, so that the next run comes. They
    are part of what older releases have left on nodes: never rename them.
    """

    def enter(self, cluster: Cluster, names: Sequence[str]) -> Coroutine[Any, Any, Leave]:
        """Enter it if this engine runs on one of these nodes. What leaves it also leaves what an earlier run entered.

        Raises `Refused` where it cannot be entered.
        """
        ...

    def give_up(self, cluster: Cluster) -> Coroutine[Any, Any, None]:
        """Leave what an earlier run has entered, before packages are taken away; what no longer runs is not asked."""
        ...


def pauses() -> list[Pause]:
    """Those of all engines."""
    return [cast("Pause", importlib.import_module(module)) for module in PAUSES.values()]
