"""The proxy's settings on the real pair: on the virtual IP alone, a port more, a cache that goes with the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmarks.durability.cut import stack_with
from lab.addresses import VIRTUAL_IP
from operations.switchover import move
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.clients import Clients

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

SETTINGS = {
    "more_ports": [8080],
    "listen": "virtual_ip",
    "outgoing": "virtual_ip",
    "cache": {"disk": {"size": "64M", "where": "mirror"}},
}
RECORDS = "grep -c '/r/moved-' /mnt/mirror/squid/access.log || true"
FAILURES = "crm_failcount --query --resource squid --quiet || true"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_virtual_ip_alone_and_a_cache_on_the_mirror_follow_a_switchover(deployed_pair: Machines) -> None:
    hosts, stack = lab_site.reach(), LabStack()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")

    def sh(node: str, script: str) -> str:
        return asyncio.run(deployed_pair.sudo(node, script, timeout=300)).strip()

    with stack_with(squid=SETTINGS):
        stack.up()
        assert lab_site.active(hosts) == active
        assert sh(active, FAILURES) in {"", "0"}, "the engine took the start for a failure"
        assert "unchanged" in stack.preview("--expect-no-changes").output

        with Clients("moved", f"{VIRTUAL_IP}:8080") as clients, clients.step("switchover"):
            there = hosts.run(move(hosts.cluster(), hosts.site)).target
        assert there != active
        assert int(sh(there, RECORDS)) > 0
        listening = sh(there, "ss -Hltn").split()
        assert {f"{VIRTUAL_IP}:3128", f"{VIRTUAL_IP}:8080", "127.0.0.1:3128"} <= set(listening)
        assert sh(there, "ls -d /mnt/mirror/cache/0F") == "/mnt/mirror/cache/0F"
        for name in deployed_pair.names:
            assert sh(name, "cat /proc/sys/net/ipv4/ip_nonlocal_bind") == "1"

    stack.up()
    for name in deployed_pair.names:
        assert sh(name, "cat /proc/sys/net/ipv4/ip_nonlocal_bind") == "0"
    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy again")
