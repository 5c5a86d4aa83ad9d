"""The pair behind its own firewall: what the cluster needs gets through, by connections that are new."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmarks.durability.cut import stack_with
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

FROM_THE_OTHER = "nft list table inet squid_ha | grep -c 'from the other node'"
KNOCK = "python3 -c \"import socket; socket.create_connection(('172.16.77.{}', 9100), 3)\" 2>&1 || true"
LISTEN = (
    "systemd-run --quiet --unit=listener python3 -c "
    "\"import socket; s = socket.create_server(('', 9100)); [s.accept() for _ in iter(int, 1)]\""
)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_mirror_and_cluster_go_on_behind_the_nodes_firewall_and_over_a_failover(deployed_pair: Machines) -> None:
    hosts, active = lab_site.ready()
    standby = lab_site.other(hosts, active)

    def sh(node: str, script: str) -> str:
        return asyncio.run(deployed_pair.sudo(node, script, timeout=300)).strip()

    knock = KNOCK.format(11 if active == "qsp-a" else 12)
    sh(active, LISTEN)
    assert sh(standby, knock) == "", "without a firewall it gets through"
    with stack_with(firewall={"ssh_ports": [22]}):
        stack = LabStack()
        stack.up(timeout=1800)
        for name in deployed_pair.names:
            assert int(sh(name, FROM_THE_OTHER)) >= 3, "two links and the mirror"
        assert "Connection refused" in sh(standby, knock), "what is not the cluster's is refused between the nodes too"
        sh(standby, "drbdadm disconnect squid-ha; drbdadm connect squid-ha")
        lab_site.until(lambda: lab_site.healthy(hosts), "the mirror has connected anew", limit=600)
        asyncio.run(deployed_pair.power_off(active))
        lab_site.until(lambda: lab_site.active(hosts) == standby or None, "the other node serves", limit=600)
        asyncio.run(deployed_pair.power_on(active))
        found = lab_site.until(lambda: lab_site.healthy(hosts), "both nodes are whole again", limit=900)
        assert found.tree.active == standby
        assert stack.drift().code == 0, "a boot has brought another firewall"
