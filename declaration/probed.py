"""What of the service stays as somebody else has made it, and so whether somebody asks Squid for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from declaration.engines.pacemaker_adopted import AdoptedCluster
    from declaration.site import Site


def is_probed(site: Site) -> bool:
    """Whether somebody asks Squid for pages: this program's own agent does, where the engine runs Squid by it.

    So none where Squid's resource is adopted as it was found, and none where LifeKeeper has Quick Service Protection
    for Squid, or scripts of the site's own.
    """
    if site.engine == "pacemaker":
        return not is_adopted(site, "squid")
    declared = site.lifekeeper
    return declared is not None and declared.squid_kit == "generic" and declared.squid_scripts is None


def looks_for_records(site: Site) -> bool:
    """Whether the agent also looks for the records of its requests, where Squid drops what it cannot write.

    LifeKeeper has no state between healthy and failed, so there only with `log.on_lost: fail`.
    """
    return is_probed(site) and (site.engine == "pacemaker" or site.log.on_lost == "fail")


def is_adopted(site: Site, member: Literal["squid", "mirror"]) -> bool:
    """Whether a member of the service is somebody else's, left as it was found."""
    adopted = adopted_of(site)
    return site.engine == "pacemaker" and adopted is not None and getattr(adopted.members, member) is not None


def adopted_of(site: Site) -> AdoptedCluster | None:
    """What Pacemaker's section leaves as it was found, whichever engine the site has; None where it leaves nothing."""
    return site.pacemaker.adopted if site.pacemaker else None
