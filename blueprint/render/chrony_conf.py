"""chrony's configuration (chrony.conf(5))."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from blueprint.platforms import TimeService


def render(
    site: str, service: TimeService, servers: Sequence[str], minimum_sources: int, pools: Sequence[str] = ()
) -> str:
    """``makestep 1 -1``: a clock that is off by more than a second is stepped at any time, not only at the start,
    because a node that was suspended or restored must not log wrong times for hours while its clock is slewed."""
    lines = [
        f"# Time of the site {site}. Managed by squid-ha: change the site's stack file, then `pulumi up`.",
        *(f"server {server} iburst" for server in servers),
        *(f"pool {pool} iburst" for pool in pools),
        f"minsources {minimum_sources}",
        f"driftfile {service.drift}",
        f"ntsdumpdir {posixpath.dirname(service.drift)}",
        *([f"logdir {service.logs}"] if service.logs else []),
        "maxupdateskew 100.0",
        "makestep 1 -1",
        "rtcsync",
        "",
    ]
    return "\n".join(lines)
