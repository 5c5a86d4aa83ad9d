"""Where a site's main access log is: on each node's own disk, on the mirror, or both."""

from __future__ import annotations

from blueprint.logs import squid_logs
from declaration.site import Site


def mirror_log(site: Site) -> str | None:
    """The main access log on the mirror, which is the first one there; None where there is none."""
    return next((path for path in _paths(site) if _on_mirror(site, path)), None)


def local_log(site: Site) -> str | None:
    """The main access log on a node's own disk, the first one there; None where there is none."""
    return next((path for path in _paths(site) if not _on_mirror(site, path)), None)


def _paths(site: Site) -> list[str]:
    return [log.path for log in squid_logs(site).access]


def _on_mirror(site: Site, path: str) -> bool:
    return site.mirror is not None and path.startswith(f"{site.mirror.mount_point}/")
