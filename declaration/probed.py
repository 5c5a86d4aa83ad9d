"""Whether somebody asks Squid for pages, and looks for their records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from declaration.site import Site


def is_probed(site: Site) -> bool:
    """Only this program's own agent of Pacemaker does, so none where Squid's resource is adopted as it was found."""
    return site.engine == "pacemaker" and not is_adopted(site, "squid")


def is_adopted(site: Site, member: Literal["squid", "mirror"]) -> bool:
    """Whether a member of the service is somebody else's, left as it was found."""
    adopted = site.pacemaker.adopted if site.engine == "pacemaker" and site.pacemaker else None
    return adopted is not None and getattr(adopted.members, member) is not None
