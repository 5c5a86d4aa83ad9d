"""Resource names, by role and never by host name, so that a node can be replaced. Frozen: they are in every state."""

from __future__ import annotations

NODES = ("node-1", "node-2")
PACKAGES = "packages"
NAMES = "names"
TIME = "time"
SQUID_CONFIG = "squid-config"
SQUID_AGENT = "squid-agent"
ROTATION = "rotation"
MIRROR = "mirror"
FILESYSTEM = "filesystem"
SBD = "sbd"
MEMBERSHIP = "membership"
FENCING = "fencing"
OPTIONS = "options"
REACHABILITY = "reachability"
TREE_MIRROR = "tree-mirror"
TREE_FILESYSTEM = "tree-filesystem"
TREE_SQUID = "tree-squid"
TREE_ADDRESS = "tree-address"
FIREWALL = "firewall"
SQUID_PROFILE = "squid-profile"
ALERTS = "alerts"
CLUSTER_ALERTS = "cluster-alerts"
LIFEKEEPER = "lifekeeper"
PATHS = "paths"
GENERIC = "generic"
"""Begins the name of each resource by scripts; its tag follows."""

FOUND = (MIRROR, TREE_MIRROR, TREE_FILESYSTEM, TREE_SQUID, TREE_ADDRESS, FENCING, OPTIONS)
"""Things in whose places those of a cluster may stand that somebody else has built."""


def found(name: str) -> str:
    """What such a thing is called: it has a journal of its own."""
    return f"found-{name}"


ALL = (
    *NODES, PACKAGES, NAMES, TIME, SQUID_CONFIG, SQUID_AGENT, ROTATION, MIRROR, FILESYSTEM, SBD, MEMBERSHIP, FENCING,
    OPTIONS, REACHABILITY, TREE_MIRROR, TREE_FILESYSTEM, TREE_SQUID, TREE_ADDRESS, FIREWALL, SQUID_PROFILE,
    ALERTS, CLUSTER_ALERTS, LIFEKEEPER, PATHS, *map(found, FOUND),
)  # fmt: skip
