"""Which of a site's nodes things are made on."""

from __future__ import annotations

from declaration.site import Site


def present(site: Site) -> tuple[str, ...]:
    """Names of the nodes that are not declared away, in the declaration's order."""
    return tuple(node.name for node in site.nodes if not node.away)
