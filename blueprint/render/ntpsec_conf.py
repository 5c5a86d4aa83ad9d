"""ntpsec's configuration (ntp.conf(5)), and what Debian's wrapper around ntpd reads."""

from __future__ import annotations

from collections.abc import Sequence

from blueprint.platforms import TimeService


def render(
    site: str, service: TimeService, servers: Sequence[str], minimum_sources: int, pools: Sequence[str] = ()
) -> str:
    """``tinker panic 0``: however far off a clock is, it is set; without it ntpd ends beyond 1000 s.

    ``tos maxclock`` and the rules of access are those of Debian's own file.
    """
    lines = [
        f"# Time of the site {site}. Managed by squid-ha: change the site's stack file, then `pulumi up`.",
        *(f"server {server} iburst" for server in servers),
        *(f"pool {pool} iburst" for pool in pools),
        "tos maxclock 11",
        f"tos minsane {minimum_sources}",
        "tinker panic 0",
        f"driftfile {service.drift}",
        *([f"leapfile {service.leap_seconds}"] if service.leap_seconds else []),
        "restrict default kod nomodify nopeer noquery limited",
        "restrict 127.0.0.1",
        "restrict ::1",
        "",
    ]
    return "\n".join(lines)


def defaults(site: str) -> str:
    """``-g`` sets the clock at once at the start. A configuration from DHCP would replace the whole of ours."""
    return f"""\
# Time of the site {site}. Managed by squid-ha.
NTPD_OPTS="-g -N"
IGNORE_DHCP="yes"
NTPSEC_CERTBOT_CERT_NAME=""
"""
