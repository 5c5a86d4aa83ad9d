"""What operators want to read from a stack: where the proxy is, what it consists of, what a crash may cost."""

from __future__ import annotations

from blueprint import durability, logs
from declaration.site import Site


def outputs(site: Site) -> dict[str, object]:
    """Plain values, all known at preview."""
    made: dict[str, object] = {
        "engine": site.engine,
        "phase": site.phase,
        "nodes": {node.name: str(node.address) for node in site.nodes},
        "proxy": f"http://{site.virtual_ip or site.nodes[0].address}:{site.squid.port}",
    }
    if site.mirror and site.log.on_mirror:
        made["mirror_log"] = logs.mirror_log(site)
    if told := durability.outputs(site):
        made["durability"] = told
    return made
