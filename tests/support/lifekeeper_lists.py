"""Everything that LifeKeeper tells of the nodes, to compare two ways of getting there."""

from __future__ import annotations

from tests.support.things import Site, difference

_LISTS = """
for list in dep_list eqv_list net_list; do echo "$list"; /opt/LifeKeeper/bin/$list -f: | sort; done
# Without the reason of its last change of state, which tells how it came to it.
/opt/LifeKeeper/bin/ins_list -f: | cut -d: -f1-8,10- | sort
ip -br address show dev eth0 | grep -o 192.0.2.10/ || true
systemctl is-active squid || true
systemctl is-enabled squid lifekeeper || true
cat /etc/default/LifeKeeper
"""


def lists(hosts: Site) -> dict[str, list[str]]:
    """Node → everything that LifeKeeper tells of it, and what came of it."""
    return {name: hosts.sh(name, _LISTS).splitlines() for name in hosts.cluster.nodes}


def differing(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Lines that one of the two has alone, on whichever node."""
    return [line for name, told in before.items() for line in difference(told, after[name])]
