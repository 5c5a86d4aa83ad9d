"""Parents in squid.conf (`cache_peer`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parent:
    """One parent; ``options`` in Squid's words."""

    host: str
    port: int
    options: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parents:
    """``never_direct``: no request goes to a server itself. Otherwise only when no parent answers."""

    proxies: tuple[Parent, ...]
    never_direct: bool


def lines(parents: Parents) -> list[str]:
    """The lines of squid.conf. Tunnels take the same way as requests, which Squid would not do by itself."""
    made: list[str] = []
    for number, parent in enumerate(parents.proxies, 1):
        name = f"parent_{number}"
        options = " ".join(("no-query", "no-digest", f"name={name}", *parent.options))
        made.append(f"cache_peer {parent.host} parent {parent.port} 0 {options}")
        if parent.domains:
            made += [f"acl {name}_domains dstdomain -n {domain}" for domain in parent.domains]
            made += [f"cache_peer_access {name} allow {name}_domains", f"cache_peer_access {name} deny all"]
    if parents.never_direct:
        return [*made, "never_direct allow all"]
    return [*made, "prefer_direct off", "nonhierarchical_direct off"]
