"""A node is replaced by a blank machine of the same name; `pulumi up --refresh` takes it in while the other serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import control, lifekeeper
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.cluster.test_failover import clients_are_answered

if TYPE_CHECKING:
    from operations.site import Hosts
    from tests.cluster.conftest import Machines

PID = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"
MARKER = "/mnt/mirror/squid/marker"
STANDBY = {"pacemaker": {"Unpromoted", "Stopped"}, "lifekeeper": {"Stopped"}}
"""States of the members on a standby node."""


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_a_blank_node_gets_everything_from_the_survivor(engine: str, pair_of_engine: Machines) -> None:
    hosts = lab_site.reach()
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy")
    survivor = status.tree.active
    assert survivor is not None
    lost = next(node.name for node in hosts.site.nodes if node.name != survivor)

    def sudo(node: str, script: str) -> str:
        return asyncio.run(pair_of_engine.sudo(node, script, timeout=300)).strip()

    sudo(survivor, f"echo kept > {MARKER}; sync")
    before = sudo(survivor, PID)
    control.call("renew", host=lost)
    control.call("start", host=lost)
    lab_site.until(lambda: answers(lost) or None, f"{lost} has booted")
    assert sudo(lost, "dpkg-query -W -f '${db:Status-Status}' squid 2>/dev/null || true") != "installed"
    if engine == "lifekeeper":
        asyncio.run(lifekeeper.ensure(lost))  # the media: what its runbook has people bring

    stack = LabStack()
    stack.up("--refresh", timeout=3600)
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), f"{lost} has the survivor's data", limit=1800)
    lab_site.until(lambda: stands_by(hosts, engine, lost) or None, f"{lost} is the mirror's other half")
    assert sudo(survivor, PID) == before, "the survivor's Squid was started anew"
    assert "unchanged" in stack.preview("--refresh", "--expect-no-changes").output

    control.call("kill", host=survivor)
    lab_site.until(lambda: lab_site.active(hosts) == lost or None, f"the service runs on the new {lost}")
    clients_are_answered()
    assert sudo(lost, f"cat {MARKER}") == "kept", "what the survivor had is not on the new node"


def stands_by(hosts: Hosts, engine: str, name: str) -> bool:
    """Whether the node has every member of the service, as a standby node has it."""
    status = lab_site.status(hosts)
    return status is not None and {states.get(name) for states in status.tree.states.values()} == STANDBY[engine]


def answers(name: str) -> bool:
    """Whether a node's sshd does."""
    return any(host["name"] == name and host["ssh"] for host in control.call("status")["hosts"])
