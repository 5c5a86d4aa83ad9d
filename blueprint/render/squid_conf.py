"""Squid's configuration (squid.conf, https://www.squid-cache.org/Doc/config/).

The rules follow the order of Squid's own shipped file: unsafe ports and CONNECT first, then the manager, then the
site's networks, and a last word that denies. The probe's domain is denied and kept out of every log: an answer of any
status shows that Squid serves.
"""

from __future__ import annotations

from dataclasses import dataclass

from blueprint.render import squid_access, squid_auth, squid_logs, squid_parents
from blueprint.render.squid_access import Rule
from blueprint.render.squid_auth import Auth
from blueprint.render.squid_logs import Logs
from blueprint.render.squid_parents import Parents

PROBE_DOMAIN = "probe.squid-ha.invalid"
PROBE_URL = f"http://{PROBE_DOMAIN}/"
REFRESH_PATTERNS = ("^ftp: 1440 20% 10080", "-i (/cgi-bin/|\\?) 0 0% 0", ". 0 20% 4320")
"""How long what is kept counts as fresh: Squid's own shipped lines."""


@dataclass(frozen=True)
class SquidConf:
    """What the file says; durations in whole seconds.

    ``addresses`` are those that Squid listens on, () for all. ``allow`` is the short form of ``rules``; with ``auth``
    its clients have to log in. ``settings`` are directives that need no more than their value.
    """

    site: str
    port: int
    allow: tuple[str, ...]
    visible_hostname: str | None
    shutdown_lifetime: int
    logs: Logs
    spool: str
    includes: tuple[str, ...] = ()
    more_ports: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    outgoing: str | None = None
    connect_ports: tuple[str, ...] = ("443",)
    safe_ports: tuple[str, ...] = ("80", "21", "443", "70", "210", "1025-65535", "280", "488", "591", "777")
    rules: tuple[Rule, ...] = ()
    auth: Auth | None = None
    parents: Parents | None = None
    settings: tuple[tuple[str, str], ...] = ()


_GUARDS = """\
http_access deny squid_ha_probe
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
http_access deny to_localhost
http_access deny link_local
"""


def render(conf: SquidConf) -> str:
    """The whole of squid.conf; the same text on every node."""
    parts = [
        f"# Squid of the site {conf.site}. Managed by squid-ha: change the site's stack file, then `pulumi up`.",
        *_listening(conf),
        *([f"visible_hostname {conf.visible_hostname}"] if conf.visible_hostname else []),
        f"shutdown_lifetime {conf.shutdown_lifetime} seconds",
        *([f"tcp_outgoing_address {conf.outgoing}"] if conf.outgoing else []),
        "",
        *(f"acl SSL_ports port {ports}" for ports in conf.connect_ports),
        *(f"acl Safe_ports port {ports}" for ports in conf.safe_ports),
        "acl link_local dst 169.254.0.0/16 fe80::/10",
        # -n: without it, Squid looks up the name of every address that a client asks for, and waits for DNS to answer.
        f"acl squid_ha_probe dstdomain -n {PROBE_DOMAIN}",
        *(f"acl clients src {network}" for network in conf.allow),
        *(squid_auth.lines(conf.auth) if conf.auth else []),
        *(["acl logged_in proxy_auth REQUIRED"] if conf.auth and conf.allow else []),
        *squid_access.acls(conf.rules),
        "",
        _GUARDS.rstrip(),
        *(f"include {path}" for path in conf.includes),
        *(squid_access.lines(conf.rules) or _short(conf)),
        "",
        *squid_logs.lines(conf.logs),
        "",
        *(squid_parents.lines(conf.parents) if conf.parents else []),
        *(f"{name} {value}" for name, value in conf.settings),
        f"coredump_dir {conf.spool}",
        *(f"refresh_pattern {pattern}" for pattern in REFRESH_PATTERNS),
        "",
    ]
    return "\n".join(parts)


def _listening(conf: SquidConf) -> list[str]:
    ports = (conf.port, *conf.more_ports)
    if not conf.addresses:
        return [f"http_port {port}" for port in ports]
    return [f"http_port {_bracketed(address)}:{port}" for port in ports for address in conf.addresses]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _short(conf: SquidConf) -> list[str]:
    login = " logged_in" if conf.auth else ""
    clients = [f"http_access allow clients{login}"] if conf.allow else []
    return [*clients, "http_access allow localhost", "http_access deny all"]
