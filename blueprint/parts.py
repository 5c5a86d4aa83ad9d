"""The parts that a site is shown in: each becomes a component of the Pulumi tree."""

from __future__ import annotations

HOSTS = "hosts"
PROXY = "proxy"
VOLUME = "volume"
ENGINE = "engine"
TREE = "tree"

PARTS: dict[str, str] = {
    HOSTS: "Hosts",
    PROXY: "Proxy",
    VOLUME: "ReplicatedVolume",
    ENGINE: "ClusterEngine",
    TREE: "ServiceTree",
}
