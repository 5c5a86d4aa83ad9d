"""The proxy's ports, parents, cache and login: what must fit the rest of the site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.quantities import Duration, in_bytes
from declaration.rules.addresses import own_hosts
from declaration.rules.registry import rule
from declaration.rules.repeats import inner_domains, repeated
from declaration.rules.seconds import whole_seconds

if TYPE_CHECKING:
    from declaration.site import Site
    from declaration.squid_auth import Auth
    from declaration.squid_cache import Cache
    from declaration.squid_network import Dns
    from declaration.types import Settings

_SMALLEST_CACHE = in_bytes("16M")
_SMALLEST_MEMORY = in_bytes("1M")
_LONGEST, _FAILED = Duration("6h"), Duration("1m")
"""Squid's own positive_dns_ttl and negative_dns_ttl (https://www.squid-cache.org/Doc/config/positive_dns_ttl/)."""


@rule("squid", "virtual_ip")
def virtual_ip_is_there(site: Site) -> Iterator[Mistake]:
    """What is done on the virtual IP needs one."""
    for name in ("listen", "outgoing"):
        if getattr(site.squid, name) == "virtual_ip" and site.virtual_ip is None:
            yield Mistake(f"squid.{name}", "virtual_ip", "a site with a `virtual_ip` for this, or another choice")


@rule("squid", "nodes", "virtual_ip")
def parents_are_elsewhere(site: Site) -> Iterator[Mistake]:
    """A proxy that is its own parent passes a request round until it gives up; a parent stands once."""
    if site.squid.parents is None:
        return
    own = own_hosts(site) | {(site.squid.visible_hostname or "").lower()}
    seen: dict[tuple[str, int], int] = {}
    for index, parent in enumerate(site.squid.parents.proxies):
        path = f"squid.parents.proxies[{index}]"
        if parent.host.lower() in own:
            yield Mistake(f"{path}.host", parent.host, "a proxy outside of this site")
        first = seen.setdefault((parent.host.lower(), parent.port), index)
        if first != index:
            yield Mistake(f"{path}.host", parent.host, f"a parent of its own: proxies[{first}] is the same")
        yield from repeated(f"{path}.domains", parent.domains)
        yield from inner_domains(f"{path}.domains", parent.domains)


@rule("squid", "mirror")
def cache_has_room(site: Site) -> Iterator[Mistake]:
    """A cache on the mirror needs one; one that holds nothing is a slip."""
    if site.squid.cache is not None:
        yield from _sizes(site.squid.cache)
        disk = site.squid.cache.disk
        if disk is not None and disk.where == "mirror" and site.mirror is None:
            yield Mistake("squid.cache.disk.where", "mirror", "a site with a `mirror` for this, or `local`")


def _sizes(cache: Cache) -> Iterator[Mistake]:
    path = "squid.cache"
    if in_bytes(cache.memory) < _SMALLEST_MEMORY:
        yield Mistake(f"{path}.memory", cache.memory, "at least `1M`")
    if in_bytes(cache.max_object_in_memory) > in_bytes(cache.memory):
        yield Mistake(f"{path}.max_object_in_memory", cache.max_object_in_memory, f"at most `memory`, {cache.memory}")
    if cache.disk is None:
        return
    if in_bytes(cache.disk.size) < _SMALLEST_CACHE:
        yield Mistake(f"{path}.disk.size", cache.disk.size, "at least `16M`")
    if in_bytes(cache.disk.max_object) > in_bytes(cache.disk.size):
        yield Mistake(f"{path}.disk.max_object", cache.disk.max_object, f"at most `size`, {cache.disk.size}")


@rule("squid")
def squid_waits_in_seconds(site: Site) -> Iterator[Mistake]:
    """Squid takes no limit of nothing, and no fraction of a second here."""
    for path, section in (("squid.dns", site.squid.dns), ("squid.timeouts", site.squid.timeouts)):
        if section is not None:
            yield from _whole(path, section)
    if site.squid.auth is not None:
        yield from _whole("squid.auth", site.squid.auth)
    if site.squid.dns is not None:
        yield from repeated("squid.dns.servers", site.squid.dns.servers)
        yield from _kept(site.squid.dns)


def _kept(dns: Dns) -> Iterator[Mistake]:
    """An answer is kept at least as long as a failure: Squid raises `longest` to that, and tells nobody."""
    longest, failed = dns.longest or _LONGEST, dns.failed or _FAILED
    if longest.milliseconds > failed.milliseconds:
        return
    if dns.failed is not None:
        yield Mistake("squid.dns.failed", failed, f"less than `longest`, {longest}{_unsaid(dns.longest)}")
    elif dns.longest is not None:
        yield Mistake("squid.dns.longest", longest, f"more than `failed`, {failed}{_unsaid(dns.failed)}")


def _unsaid(value: Duration | None) -> str:
    return " unless said otherwise" if value is None else ""


def _whole(path: str, section: Settings) -> Iterator[Mistake]:
    for name in type(section).model_fields:
        value: object = getattr(section, name)
        if isinstance(value, Duration):
            yield from whole_seconds(f"{path}.{name}", value)


@rule("squid")
def login_has_a_way(site: Site) -> Iterator[Mistake]:
    """One way to check a password, at most, and Kerberos beside it."""
    auth = site.squid.auth
    if auth is None:
        return
    if auth.basic is None and auth.ldap is None and auth.kerberos is None:
        yield Mistake("squid.auth", "nothing", "`basic`, `ldap` or `kerberos`")
    if auth.basic is not None and auth.ldap is not None:
        yield Mistake("squid.auth.ldap", auth.ldap.uri, "either `basic` or `ldap`: a password is checked in one place")
    yield from _ldap(auth)


def _ldap(auth: Auth) -> Iterator[Mistake]:
    if auth.ldap is None:
        return
    if auth.ldap.bind_dn is None and auth.ldap.bind_password is not None:
        yield Mistake("squid.auth.ldap.bind_dn", None, "whom `bind_password` belongs to")
    if auth.ldap.bind_dn is not None and auth.ldap.bind_password is None:
        yield Mistake("squid.auth.ldap.bind_password", None, "the password of `bind_dn`, as {secret: NAME}")
    if auth.ldap.start_tls and auth.ldap.uri.startswith("ldaps:"):
        yield Mistake("squid.auth.ldap.start_tls", "true", "no `start_tls` with `ldaps://`, which is encrypted already")
