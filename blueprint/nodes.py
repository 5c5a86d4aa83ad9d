"""Which of a site's nodes things are made on."""

from __future__ import annotations

from declaration.mirror import Mirror
from declaration.site import Site


def present(site: Site) -> tuple[str, ...]:
    """Names of the nodes that are not declared away, in the declaration's order."""
    return tuple(node.name for node in site.nodes if not node.away)


def mirror_devices(site: Site, mirror: Mirror) -> dict[str, str]:
    """Node that is not away → the path of the mirror's disk there; nothing where it is `mirror.device` on every node.

    All of them or none: a thing belongs to the nodes that its model names (`providers.places`).
    """
    own = {node.name: mirror.device_on(node) for node in site.nodes}
    if set(own.values()) == {mirror.device}:
        return {}
    return {name: own[name] for name in present(site)}
