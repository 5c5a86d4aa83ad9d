"""The engines that a site can name; a third one is a package here, `declaration/engines/`, `providers/` and a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from blueprint.engines import lifekeeper, pacemaker
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


ENGINES: Mapping[str, Engine] = {"pacemaker": pacemaker, "lifekeeper": lifekeeper}
