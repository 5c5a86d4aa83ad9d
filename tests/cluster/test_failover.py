"""The active node goes, by losing its power or by a reboot, and the other one takes the service over."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest

from lab import control, demo, load
from tests.cluster import lab_site

if TYPE_CHECKING:
    from operations.site import Hosts
    from tests.cluster.conftest import Machines

FENCED = r"Peer {node} was terminated \((?:reboot|off)\) by .*: OK"
"""What pacemaker-controld of Pacemaker 2.1 writes when fencing has succeeded."""


@pytest.mark.spare
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


@pytest.mark.spare
def test_a_reboot_of_the_active_node_lets_squid_end_by_itself(deployed_pair: Machines) -> None:
    """Squid that is killed loses the records of what is under way: an open tunnel has none until it ends."""
    hosts = lab_site.reach()
    leaving = lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy").tree.active
    assert leaving is not None
    survivor = next(node.name for node in hosts.site.nodes if node.name != leaving)
    run = f"reboot{time.time():.0f}"
    file = load.start(run, rate=5)
    try:
        demo.await_answers(lambda: load.read(file), 10)
        asyncio.run(deployed_pair.sudo(leaving, "systemd-run --on-active=1 systemctl reboot"))
        gone = time.time()
        lab_site.until(lambda: lab_site.active(hosts) == survivor or None, f"the service runs on {survivor}")
        demo.await_answers(lambda: [each for each in load.read(file) if each.start > gone], 10)
    finally:
        records = load.stop(file)
    assert fenced(deployed_pair, survivor, leaving) is None, "a node that left in order was fenced"

    lab_site.until(lambda: lab_site.healthy(hosts), f"{leaving} is back and its data is up to date", limit=900)
    said = asyncio.run(deployed_pair.sudo(leaving, "grep 'did not end within' /var/log/pacemaker/pacemaker.log || :"))
    assert not said, "Squid was killed although it had all the time to end"
    proof = demo.count(hosts, run, [demo.request_of(each) for each in records], [])
    assert proof.lost == []


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
