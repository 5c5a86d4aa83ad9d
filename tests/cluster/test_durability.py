"""What a crash costs of the log, by power cuts under load; and how the log's durability is changed under a service.

By itself one cut of a setting; in `make test-all` (SQUID_HA_ALL_CUTS=1) several, each at another moment.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.durability.__main__ import kept
from benchmarks.durability.cut import Setting, cut, deployed_with, stack_with
from lab import load
from operations.switchover import move
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.cuts import ALL
from tests.support.stack import DRIFT

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

PROCESS = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"
OPTIONS = "findmnt --noheadings --output OPTIONS /mnt/mirror"
CUTS = 3 if ALL else 1


@pytest.mark.turns("a disk or a power cut")
@pytest.mark.timeout(7200 if ALL else 1500)
@pytest.mark.parametrize("setting", [Setting("ext3", "1s"), Setting("ext3", "sync")], ids=lambda setting: setting.name)
def test_a_power_cut_costs_no_more_than_is_stated(
    machines: Machines, setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machines
    with deployed_with(setting, print) as bring_back:
        losses = [
            cut(bring_back(), f"c{time.time():.0f}", rate=10, seconds=25 + number * 1.3) for number in range(CUTS)
        ]
    with capsys.disabled():
        print(f"\n{setting.name}: {losses}")
    assert all(each.answered > 100 for each in losses)
    assert kept(setting, losses), losses
    assert all(each.gaps == 0 for each in losses), losses


def mounted(machines: Machines, node: str) -> set[str]:
    return set(asyncio.run(machines.sudo(node, OPTIONS)).strip().split(","))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_sync_comes_and_goes_under_a_running_squid_and_moves_with_the_service(deployed_pair: Machines) -> None:
    hosts, stack = lab_site.reach(), LabStack()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    before = asyncio.run(deployed_pair.sudo(active, PROCESS))
    assert "sync" not in mounted(deployed_pair, active)

    with stack_with(mirror={"durability": "sync"}):
        stack.up()
        assert "sync" in mounted(deployed_pair, active)
        assert lab_site.active(hosts) == active
        assert asyncio.run(deployed_pair.sudo(active, PROCESS)) == before, "Squid was started anew"
        assert "unchanged" in stack.preview("--expect-no-changes").output

        asyncio.run(deployed_pair.sudo(active, "mount -o remount,async /mnt/mirror"))
        found = stack.drift()
        assert found.code == DRIFT, found.output
        assert stack.changed(found.output) == {"filesystem"}, found.output
        stack.up("--refresh")
        assert "sync" in mounted(deployed_pair, active)

        there = hosts.run(move(hosts.cluster(), hosts.site)).target
        assert there != active
        assert "sync" in mounted(deployed_pair, there), "the other node mounts it as it likes"
        before = asyncio.run(deployed_pair.sudo(there, PROCESS))

    stack.up()
    assert "sync" not in mounted(deployed_pair, there)
    assert asyncio.run(deployed_pair.sudo(there, PROCESS)) == before


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_with_drop_a_full_mirror_degrades_the_proxy_and_stops_nothing(deployed_pair: Machines) -> None:
    hosts, stack = lab_site.reach(), LabStack()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    with stack_with(log={"on_full": "drop"}):
        stack.up()
        hosts = lab_site.reach()
        active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
        before = asyncio.run(deployed_pair.sudo(active, PROCESS))
        fill = "fallocate -l $(df --output=avail -B1 /mnt/mirror | tail -1) /mnt/mirror/filler 2>/dev/null"
        asyncio.run(
            deployed_pair.sudo(active, f"{fill} || dd if=/dev/zero of=/mnt/mirror/filler bs=1M || true", timeout=1200)
        )
        file = load.start("full", rate=5)
        try:
            lab_site.until(lambda: shown(hosts, active) == "Degraded" or None, "the proxy is shown as degraded")
            assert asyncio.run(deployed_pair.sudo(active, PROCESS)) == before
            assert lab_site.active(hosts) == active
            failed = asyncio.run(deployed_pair.sudo(active, "crm_failcount --query --resource squid --quiet || true"))
            assert failed.strip() in {"", "0"}, "a degraded proxy counts as a failed one"
        finally:
            records = load.stop(file)
        assert sum(record.answered for record in records) > 0.9 * len(records)
        asyncio.run(deployed_pair.sudo(active, "rm /mnt/mirror/filler; crm_resource --cleanup --resource squid"))
        lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy again", limit=1200)
    stack.up()


def shown(hosts: lab_site.Hosts, node: str) -> str | None:
    """How the status shows Squid on a node."""
    status = lab_site.status(hosts)
    return status.tree.states["squid"].get(node) if status else None
