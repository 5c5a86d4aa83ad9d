"""Rules of access to the proxy: closed, in an order in which each can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from declaration.addresses import is_public, network
from declaration.errors import Mistake
from declaration.rules import access_cover
from declaration.rules.registry import rule
from declaration.rules.repeats import inner_domains, repeated
from declaration.squid_access import AccessRule

if TYPE_CHECKING:
    from declaration.site import Site


@rule("squid")
def access_is_said_once(site: Site) -> Iterator[Mistake]:
    """Networks, or rules: of both together nobody could tell which comes first."""
    if site.squid.allow and site.squid.access:
        expected = "either `allow` or `access`, not both; as a rule, `allow` is `{action: allow, networks: [...]}`"
        yield Mistake("squid.access", f"a list of {len(site.squid.access)}", expected)
    if not site.squid.allow and not site.squid.access:
        yield Mistake("squid.allow", None, "the networks that may use the proxy, or rules under `access`")


@rule("squid")
def proxy_is_closed(site: Site) -> Iterator[Mistake]:
    """A proxy that anybody may use is used by everybody."""
    if site.squid.allow_public:
        return
    if site.squid.auth is None:
        yield from _public("squid.allow", site.squid.allow)
    for index, each in enumerate(site.squid.access):
        path = f"squid.access[{index}]"
        if each.action == "allow" and not each.asks_for_login:
            yield from _public(f"{path}.networks", each.networks)
            if not each.networks:
                yield Mistake(path, "a rule for every client", f"`networks` or a login: {_open('everybody')}")


def _public(path: str, networks: tuple[str, ...]) -> Iterator[Mistake]:
    for index, subnet in enumerate(networks):
        net = network(subnet)
        if is_public(net):
            what = "everybody" if net.prefixlen == 0 else "public addresses"
            yield Mistake(f"{path}[{index}]", subnet, f"networks of your own: {_open(what)}")


def _open(what: str) -> str:
    return f"this lets {what} use the proxy; if that is meant, say `allow_public: true`"


@rule("squid")
def last_word_denies(site: Site) -> Iterator[Mistake]:
    """After its last rule Squid does the opposite of it."""
    if site.squid.access and not _denies_all(site.squid.access[-1]):
        path = f"squid.access[{len(site.squid.access) - 1}]"
        yield Mistake(path, site.squid.access[-1].action, "as the last rule `action: deny` without conditions")


def _denies_all(last: AccessRule) -> bool:
    return last.action == "deny" and access_cover.fits_all(last)


@rule("squid")
def every_rule_is_reached(site: Site) -> Iterator[Mistake]:
    """A rule behind others that fit everything it fits is never asked. Only what is certain is told."""
    rules = site.squid.access
    for index, each in enumerate(rules):
        path = f"squid.access[{index}]"
        before = access_cover.deciding(rules[:index], each)
        if before and not _is_last_word(rules, index):
            named = " and ".join(f"squid.access[{place}]" for place in before)
            decide = "decides" if len(before) == 1 else "together decide"
            yield Mistake(
                path, each.action, f"an order in which it is reached: {named} {decide} on every request that fits it"
            )
            continue
        guard = access_cover.guarded(each, safe=site.squid.safe_ports, connect=site.squid.connect_ports)
        if guard:
            yield Mistake(f"{path}.ports", ", ".join(each.ports), guard)


def _is_last_word(rules: Sequence[AccessRule], index: int) -> bool:
    """Whether this is the rule that has to be last (`last_word_denies`), whatever is before it."""
    return index == len(rules) - 1 and _denies_all(rules[index])


@rule("squid")
def tunnels_reach_their_ports(site: Site) -> Iterator[Mistake]:
    """The guard of all requests comes before that of tunnels: a port that only the latter lets pass is open to none."""
    for index, ports in enumerate(site.squid.connect_ports):
        if not access_cover.share_a_port([ports], site.squid.safe_ports):
            yield Mistake(f"squid.connect_ports[{index}]", ports, "a port that `squid.safe_ports` has too")


@rule("squid")
def logins_are_possible(site: Site) -> Iterator[Mistake]:
    """A login needs a way to check it, and a way to check it wants a rule that asks."""
    asking = [index for index, each in enumerate(site.squid.access) if each.asks_for_login]
    if site.squid.auth is None:
        for index in asking:
            name = "users" if site.squid.access[index].users else "authenticated"
            yield Mistake(f"squid.access[{index}].{name}", "a login", "a way to log in under `squid.auth`")
    elif site.squid.access and not asking:
        yield Mistake("squid.auth", "a section", "a rule under `access` with `users` or `authenticated: true`")


@rule("squid")
def conditions_have_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip; of a domain within another of the list, Squid says so itself."""
    for index, each in enumerate(site.squid.access):
        path = f"squid.access[{index}]"
        for name in ("networks", "domains", "methods", "ports", "times"):
            yield from repeated(f"{path}.{name}", getattr(each, name))
        yield from repeated(f"{path}.users", each.users, key=str.lower)
        yield from inner_domains(f"{path}.domains", each.domains)
    yield from repeated("squid.connect_ports", site.squid.connect_ports)
    yield from repeated("squid.safe_ports", site.squid.safe_ports)
