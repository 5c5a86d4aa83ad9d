"""Directives of squid.conf that need no more than a value: headers, DNS, time limits, cache."""

from __future__ import annotations

from collections.abc import Iterator

from blueprint import paths
from blueprint.platforms import PLATFORMS
from declaration.quantities import Duration, in_bytes
from declaration.site import Site
from declaration.squid_cache import Cache
from declaration.squid_network import Dns, SquidTimeouts
from declaration.types import Settings

Directives = Iterator[tuple[str, str]]

FORWARDED_FOR = {"unknown": "off", "keep": "transparent", "remove": "delete", "replace": "truncate"}
_UNITS = {"k": "KB", "M": "MB", "G": "GB"}
DNS = {"timeout": "dns_timeout", "longest": "positive_dns_ttl", "failed": "negative_dns_ttl"}
TIMEOUTS = {
    "connect": "connect_timeout",
    "parent_connect": "peer_connect_timeout",
    "forward": "forward_timeout",
    "read": "read_timeout",
    "write": "write_timeout",
    "request": "request_timeout",
    "client_idle": "client_idle_pconn_timeout",
    "server_idle": "server_idle_pconn_timeout",
    "client_lifetime": "client_lifetime",
}
LEVELS = ("16", "256")
"""Folders of a cache on disk, on two levels."""


def settings(site: Site) -> tuple[tuple[str, str], ...]:
    """What the site says otherwise than Squid's own defaults; nothing for a site that says nothing of it."""
    squid = site.squid
    return (
        *([("forwarded_for", FORWARDED_FOR[squid.forwarded_for])] if squid.forwarded_for != "add" else []),
        *([] if squid.via else [("via", "off")]),
        *(_dns(squid.dns) if squid.dns else ()),
        *(_durations(squid.timeouts, TIMEOUTS) if squid.timeouts else ()),
        *(_cache(squid.cache, cache_directory(site)) if squid.cache else ()),
    )


def cache_directory(site: Site) -> str:
    """Where the cache on disk is, if there is one."""
    cache = site.squid.cache
    if site.mirror is not None and cache is not None and cache.disk is not None and cache.disk.where == "mirror":
        return f"{site.mirror.mount_point}/{paths.CACHE_DIRECTORY}"
    return PLATFORMS[site.platform].squid_spool


def cache_on_mirror(site: Site) -> bool:
    """Whether the cache on disk goes with the service."""
    cache = site.squid.cache
    return site.mirror is not None and cache is not None and cache.disk is not None and cache.disk.where == "mirror"


def _dns(dns: Dns) -> Directives:
    if dns.servers:
        yield "dns_nameservers", " ".join(dns.servers)
    if dns.append_domain:
        yield "append_domain", dns.append_domain
    yield from _durations(dns, DNS)


def _durations(section: Settings | SquidTimeouts, directives: dict[str, str]) -> Directives:
    for name, directive in directives.items():
        value: Duration | None = getattr(section, name)
        if value is not None:
            yield directive, f"{value.whole_seconds} seconds"


def _cache(cache: Cache, directory: str) -> Directives:
    yield "cache_mem", _size(cache.memory)
    yield "maximum_object_size_in_memory", _size(cache.max_object_in_memory)
    if cache.disk is not None:
        # Squid gives each cache_dir the largest object that was said before it.
        yield "maximum_object_size", _size(cache.disk.max_object)
        megabytes = in_bytes(cache.disk.size) // in_bytes("1M")
        yield "cache_dir", f"aufs {directory} {megabytes} {' '.join(LEVELS)}"


def _size(size: str) -> str:
    return f"{size[:-1]} {_UNITS[size[-1]]}"
