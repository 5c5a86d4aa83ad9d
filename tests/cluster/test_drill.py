"""Drills of the real pair: every scenario, and every verdict red once by a site that does not do what it states."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import control, plug
from operations.drill import chart, saved
from operations.drill.model import DrillReport
from operations.drill.options import Options
from operations.drill.plug import NoPlug, Plug
from operations.drill.scenarios import scenarios
from operations.drill.site import drill
from providers.connection.errors import Refused
from tests.cluster import lab_site
from tests.cluster.lost_line import delete_one

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]

PATIENCE = 900.0
"""Seconds: an emulated guest takes its time."""
SLOW = 4096
"""Bytes a second: each record takes some seconds, with the blocks of the filesystem's journal that go with it."""


def drilled(*names: str, by: Plug = plug.plug, rate: float = 5.0) -> DrillReport:
    """The lab's site, drilled once it is healthy; the report is kept as `squid-ha drill` keeps it."""
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy", limit=900)
    options = Options(names, patience=PATIENCE, plug=by, knows=True, rate=rate)
    report = hosts.run(drill(hosts.cluster(), hosts.site, "lab", options))
    chart.write(report, saved.save(report).with_suffix(".html"))
    return report


def names(report: DrillReport, scenario: str) -> set[str]:
    """What the findings of a scenario are called."""
    (found,) = [each for each in report.scenarios if each.name == scenario]
    return {finding.split(":")[0] for finding in found.findings}


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_a_site_as_declared_does_what_it_states(deployed_pair: Machines, name: str) -> None:
    """Times of an emulated pair say nothing, so the gap may be longer than stated; nothing else may be found."""
    assert deployed_pair
    report = drilled(name)
    assert names(report, name) <= {"gap"}, report.scenarios[0].findings
    assert report.scenarios[0].whole


@pytest.mark.parametrize("name", ["node-off", "replication-network-cut", "public-network-cut"])
def test_where_nobody_is_at_the_plug_the_node_does_it_itself(deployed_pair: Machines, name: str) -> None:
    """As on hosts of one's own: a reset by the kernel, rules of nftables, which has to be there."""
    for node in deployed_pair.names:
        asyncio.run(deployed_pair.sudo(node, "apt-get install -y nftables", timeout=300.0))
    # The standby node sends, and an emulated one has little time for that beside taking over.
    report = drilled(name, by=NoPlug(), rate=1.0)
    assert names(report, name) <= {"gap"}, report.scenarios[0].findings
    assert report.scenarios[0].whole


def test_a_line_deleted_from_the_mirror_is_found(deployed_pair: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = delete_one(deployed_pair, monkeypatch)
    report = drilled("planned-move")
    assert names(report, "planned-move") - {"gap"} == {"lost"}
    assert deleted[0] in report.scenarios[0].lost_ids


def test_daemon_logging_on_a_slow_disk_loses_records(deployed_pair: Machines) -> None:
    """As `mirror.durability: sync` mounts it: what the log daemon writes waits for the disk, and the rest for that."""
    conf = "/etc/squid/squid.conf"
    for name in deployed_pair.names:
        asyncio.run(deployed_pair.sudo(name, f"sed -i 's|stdio:/mnt/mirror|daemon:/mnt/mirror|' {conf}"))
    _, active = lab_site.ready()
    begun = "for _ in $(seq 300); do ! pgrep -f '^.logfile-daemon. /mnt/mirror' || exit 0; sleep 0.2; done; exit 1"
    asyncio.run(deployed_pair.sudo(active, f"mount -o remount,sync /mnt/mirror; squid -k reconfigure; {begun}"))
    control.call("stall", host=active, disk="data", rate=SLOW)
    try:
        report = drilled("squid-killed")
    finally:
        control.call("stall", host=active, disk="data", stalled=False)
    assert "lost" in names(report, "squid-killed"), "what waited for the disk when the log daemon was killed is there"
    (found,) = report.scenarios
    assert any("daemon:" in finding for finding in found.findings)
    log = asyncio.run(deployed_pair.sudo(found.active_after or active, "sync; cat /mnt/mirror/squid/access.log"))
    assert [each for each in found.lost_ids if f"/r/{each} " not in log], "all of it was only late"


def test_stickiness_0_lets_the_service_move_back(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    home = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    # Somebody's mild wish for the node that is active: without stickiness it decides.
    wish = f'<rsc_location id="wish" rsc="address" node="{home}" score="10"/>'
    unstuck = "crm_attribute --type rsc_defaults --name resource-stickiness --update 0"
    asyncio.run(deployed_pair.sudo(home, f"cibadmin --create --scope constraints --xml-text '{wish}'; {unstuck}"))
    report = drilled("peer-back")
    assert names(report, "peer-back") - {"gap"} == {"moved back"}


def test_fencing_off_is_named(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    asyncio.run(deployed_pair.sudo(active, "crm_attribute --name stonith-enabled --update false"))
    report = drilled("node-off")
    assert "not fenced" in names(report, "node-off")


def test_a_site_that_is_not_ready_is_refused(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy")
    standby = next(name for name in deployed_pair.names if name != status.tree.active)
    asyncio.run(deployed_pair.sudo(standby, "drbdadm disconnect squid-ha || drbdadm disconnect all"))
    options = Options(["planned-move"], patience=PATIENCE, plug=plug.plug)
    with pytest.raises(Refused, match="not ready"):
        hosts.run(drill(hosts.cluster(), hosts.site, "lab", options))
