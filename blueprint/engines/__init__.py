"""The engines that a site can name; a third one is a package here, `declaration/engines/`, `providers/` and a line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from blueprint.thing import Thing
from declaration.site import Site


class Engine(Protocol):
    """What an engine adds to a site's things."""

    def packages(self, site: Site) -> tuple[str, ...]:
        """Packages that the engine and its mirror need on every node."""
        ...

    def things(self, site: Site, owner: str) -> list[Thing]:
        """Mirror, filesystem, membership, fencing and the service tree, in an order that respects ``after``."""
        ...


ENGINES: Mapping[str, str] = {
    "pacemaker": "blueprint.engines.pacemaker",
    "lifekeeper": "blueprint.engines.lifekeeper",
}
"""Engine → the module that satisfies `Engine` by its functions; loaded, with all its kinds, for sites that name it."""


def engine_of(site: Site) -> Engine:
    """The engine that a site names."""
    return cast("Engine", importlib.import_module(ENGINES[site.engine]))
