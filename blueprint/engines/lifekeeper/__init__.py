"""SIOS LifeKeeper with DataKeeper and Quick Service Protection; installed from media that the site names."""

from __future__ import annotations

from blueprint.engines.lifekeeper import alerts, product, service
from blueprint.platforms import PLATFORMS
from blueprint.thing import Thing
from declaration.site import Site

__all__ = ["packages", "things"]


def packages(site: Site) -> tuple[str, ...]:
    """What LifeKeeper itself does not bring: the programs of the filesystem."""
    return PLATFORMS[site.platform].filesystem_packages[site.mirror.filesystem] if site.mirror else ()


def things(site: Site, owner: str) -> list[Thing]:
    """The product on the nodes, its communication paths, the service from the bottom up; its alerts."""
    members = service.things(site)
    paths = product.paths(site)
    return [product.thing(site, [*members, paths]), paths, *members, *alerts.things(site, owner)]
