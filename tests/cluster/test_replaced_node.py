"""A node is replaced by a blank machine of the same name; `pulumi up --refresh` takes it in while the other serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import control
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.cluster.test_failover import clients_are_answered, standby_is_in

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

PID = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"
MARKER = "/mnt/mirror/squid/marker"


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_a_blank_node_gets_everything_from_the_survivor(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy")
    survivor = status.tree.active
    assert survivor is not None
    lost = next(node.name for node in hosts.site.nodes if node.name != survivor)

    def sudo(node: str, script: str) -> str:
        return asyncio.run(deployed_pair.sudo(node, script, timeout=300)).strip()

    sudo(survivor, f"echo kept > {MARKER}; sync")
    before = sudo(survivor, PID)
    control.call("renew", host=lost)
    control.call("start", host=lost)
    lab_site.until(lambda: answers(lost) or None, f"{lost} has booted")
    assert sudo(lost, "dpkg-query -W -f '${db:Status-Status}' squid 2>/dev/null || true") != "installed"

    stack = LabStack()
    stack.up("--refresh", timeout=3600)
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), f"{lost} has the survivor's data", limit=1800)
    lab_site.until(lambda: standby_is_in(hosts, lost) or None, f"{lost} is the mirror's other half")
    assert sudo(survivor, PID) == before, "the survivor's Squid was started anew"
    assert "unchanged" in stack.preview("--refresh", "--expect-no-changes").output

    control.call("kill", host=survivor)
    lab_site.until(lambda: lab_site.active(hosts) == lost or None, f"the service runs on the new {lost}")
    clients_are_answered()
    assert sudo(lost, f"cat {MARKER}") == "kept", "what the survivor had is not on the new node"


def answers(name: str) -> bool:
    """Whether a node's sshd does."""
    return any(host["name"] == name and host["ssh"] for host in control.call("status")["hosts"])
