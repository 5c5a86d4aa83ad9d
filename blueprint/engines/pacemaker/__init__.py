"""Corosync, Pacemaker and DRBD: the open stack of the distributions."""

from __future__ import annotations

from blueprint.engines.pacemaker import alerts, cluster, found, tree, volume
from blueprint.platforms import PLATFORMS
from blueprint.thing import Thing
from declaration.site import Site

__all__ = ["packages", "things"]


def packages(site: Site) -> tuple[str, ...]:
    """Only what this site needs: no DRBD without a mirror, no SBD without fencing by it."""
    platform = PLATFORMS[site.platform]
    return (
        *platform.pacemaker_packages,
        *((*platform.mirror_packages, *platform.filesystem_packages[site.mirror.filesystem]) if site.mirror else ()),
        *(platform.sbd_packages if cluster.sbd_of(site) else ()),
    )


def things(site: Site, owner: str) -> list[Thing]:
    """Volume, cluster, tree, and alerts where they are declared."""
    made = [*volume.things(site), *cluster.things(site, owner), *tree.things(site), *alerts.things(site, owner)]
    return found.leave_as_found(site, made)
