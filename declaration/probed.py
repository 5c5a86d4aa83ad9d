"""What of the service stays as somebody else has made it, and so whether somebody asks Squid for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from declaration.engines.pacemaker_adopted import AdoptedCluster
    from declaration.site import Site


def is_probed(site: Site) -> bool:
    """Whether somebody asks Squid for pages and looks for their records: only this program's own agent of Pacemaker
    does, so none where Squid's resource is adopted as it was found."""
    return site.engine == "pacemaker" and not is_adopted(site, "squid")


def is_adopted(site: Site, member: Literal["squid", "mirror"]) -> bool:
    """Whether a member of the service is somebody else's, left as it was found."""
    adopted = adopted_of(site)
    return site.engine == "pacemaker" and adopted is not None and getattr(adopted.members, member) is not None


def adopted_of(site: Site) -> AdoptedCluster | None:
    """What Pacemaker's section leaves as it was found, whichever engine the site has; None where it leaves nothing."""
    return site.pacemaker.adopted if site.pacemaker else None
