"""Everything that LifeKeeper tells of the nodes, to compare two ways of getting there."""

from __future__ import annotations

import re

from tests.support.things import Site, difference

PRODUCT = re.compile(r"/opt/LifeKeeper|lifekeeper|/etc/default/LifeKeeper", re.IGNORECASE)
"""Lines of a node's manifest that are of the product itself, which a destroy leaves installed."""

_LISTS = """
for list in dep_list eqv_list net_list; do echo "$list"; /opt/LifeKeeper/bin/$list -f: | sort; done
for list in sys_list flg_list; do echo "$list"; /opt/LifeKeeper/bin/$list | sort; done
# Without the reason of its last change of state, which tells how it came to it.
/opt/LifeKeeper/bin/ins_list -f: | cut -d: -f1-8,10- | sort
ip -br address show dev eth0 | grep -o 192.0.2.10/ || true
systemctl is-active squid || true
systemctl is-enabled squid lifekeeper || true
cat /etc/default/LifeKeeper
"""

_ANYTHING = """
set -e
for list in ins_list dep_list eqv_list net_list flg_list sys_list; do /opt/LifeKeeper/bin/$list; done
"""


def lists(hosts: Site) -> dict[str, list[str]]:
    """Node → everything that LifeKeeper tells of it, and what came of it."""
    return {name: hosts.sh(name, _LISTS).splitlines() for name in hosts.cluster.nodes}


def nothing_listed(hosts: Site, *names: str) -> None:
    """Fails where LifeKeeper does not run on one of these nodes, or has anything in its lists but the node itself."""
    told = {name: hosts.sh(name, _ANYTHING).split() for name in names}
    assert told == {name: [name] for name in names}, told


def differing(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Lines that one of the two has alone, on whichever node."""
    return [line for name, told in before.items() for line in difference(told, after[name])]
