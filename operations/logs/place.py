"""Where the access log is that `squid-ha logs` shows."""

from __future__ import annotations

from blueprint.logs import squid_logs
from declaration.site import Site


def mirror_log(site: Site) -> str | None:
    """The main access log on the mirror, which is the first one there; None where there is none."""
    below = f"{site.mirror.mount_point}/" if site.mirror is not None else None
    return next((log.path for log in squid_logs(site).access if below and log.path.startswith(below)), None)


def local_log(site: Site) -> str | None:
    """The main access log on a node's own disk; None where there is none."""
    below = f"{site.mirror.mount_point}/" if site.mirror is not None else None
    return next((log.path for log in squid_logs(site).access if not below or not log.path.startswith(below)), None)
