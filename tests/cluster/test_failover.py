"""A node that loses its power: it is fenced, the other one takes the service over, and it may come back."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from lab import control, demo, load
from tests.cluster import lab_site

if TYPE_CHECKING:
    from operations.site import Hosts
    from tests.cluster.conftest import Machines

FENCED = r"Peer {node} was terminated \((?:reboot|off)\) by .*: OK"
"""What pacemaker-controld of Pacemaker 2.1 writes when fencing has succeeded."""


def test_a_node_without_power_is_fenced_and_replaced_and_rejoins(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy")
    lost = status.tree.active
    assert lost is not None
    survivor = next(node.name for node in hosts.site.nodes if node.name != lost)

    control.call("kill", host=lost)
    lab_site.until(lambda: lab_site.active(hosts) == survivor or None, f"the service runs on {survivor}")
    clients_are_answered()
    assert lab_site.until(lambda: fenced(deployed_pair, survivor, lost), f"{survivor} says that {lost} was fenced")

    control.call("start", host=lost)
    back = lab_site.until(lambda: lab_site.healthy(hosts), f"{lost} is back and its data is up to date", limit=900)
    assert back.tree.active == survivor, "the service moved although nothing asked it to"
    lab_site.until(lambda: standby_is_in(hosts, lost) or None, f"{lost} is the mirror's other half again")


def clients_are_answered() -> None:
    """Requests through the virtual IP are answered again."""
    file = load.start("failover", rate=5)
    try:
        demo.await_answers(lambda: load.read(file), 10)
    finally:
        load.stop(file)


def fenced(machines: Machines, survivor: str, lost: str) -> str | None:
    """The survivor's own word for it."""
    log = asyncio.run(machines.sudo(survivor, "cat /var/log/pacemaker/pacemaker.log"))
    found = re.search(FENCED.format(node=re.escape(lost)), log)
    return found[0] if found else None


def standby_is_in(hosts: Hosts, name: str) -> bool:
    """Whether the node takes part again as the mirror's other half."""
    status = lab_site.status(hosts)
    return status is not None and "Unpromoted" in {states.get(name) for states in status.tree.states.values()}
