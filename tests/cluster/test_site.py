"""The reference site on the real pair: unchanged after `up`, drift by property and node, lost state, destroy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import deployed, manifest, snapshot
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.stack import DRIFT

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

CHANGES = {
    "squid.conf edited": ("squid-config", "/etc/squid/squid.conf", "echo '# by hand' >> /etc/squid/squid.conf"),
    "chrony disabled": ("time", "chrony.service", "systemctl disable chrony"),
    "the rotation removed": ("rotation", "mirror.logrotate", "rm /etc/squid-ha/mirror.logrotate"),
    "a constraint deleted": (
        "tree-address", "address-after-squid", "cibadmin --delete --xml-text '<rsc_order id=\"address-after-squid\"/>'",
    ),
}  # fmt: skip


@pytest.fixture
def settled_pair(deployed_pair: Machines) -> Machines:
    """The deployed pair once its clocks are followed again: a restored machine has slept since its snapshot."""
    return settle(deployed_pair)


@pytest.fixture(scope="module")
def kept_pair(machines: Machines) -> Machines:
    """The same, for tests that leave it as they found it: restored once for all of them."""
    deployed.ensure(print)
    return settle(machines)


def settle(pair: Machines) -> Machines:
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    for name in pair.names:
        # A running chrony takes three minutes to believe a clock that jumped, one that starts some seconds.
        script = "systemctl restart chrony; chronyc waitsync 300 0.4 0 1 >/dev/null"
        asyncio.run(pair.sudo(name, script, timeout=400))
    return pair


@pytest.mark.spare
@pytest.mark.usefixtures("kept_pair")
def test_after_up_nothing_is_left_to_do() -> None:
    stack = LabStack()
    assert "unchanged" in stack.preview("--expect-no-changes").output
    gate = stack.drift()
    assert gate.code == 0, gate.output


@pytest.mark.spare
def test_changes_by_hand_are_drift_by_property_and_node_and_only_they_are_repaired(kept_pair: Machines) -> None:
    """All four at once on the standby: a run is long in an emulated guest, and they must not hide each other."""
    stack, hosts = LabStack(), lab_site.reach()
    before = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    standby = next(name for name in kept_pair.names if name != before)
    for thing, _, script in CHANGES.values():
        asyncio.run(kept_pair.sudo(standby, script))
        assert thing
    found = stack.drift()
    assert found.code == DRIFT, found.output
    for what, (thing, named, _) in CHANGES.items():
        assert named in found.output, f"{what}: `{named}` is not named:\n{found.output}"
        assert thing in stack.changed(found.output), f"{what}: {thing} is not shown as changed:\n{found.output}"
    assert stack.changed(found.output) == {thing for thing, _, _ in CHANGES.values()}, found.output
    assert standby in found.output

    repaired = stack.up("--refresh")
    assert f"{len(CHANGES)} updated" in repaired.output, repaired.counts()
    assert stack.drift().code == 0
    assert lab_site.active(hosts) == before, "repairing the standby moved the service"


@pytest.mark.long
def test_with_a_node_switched_off_nothing_is_reported_as_gone(settled_pair: Machines) -> None:
    hosts = lab_site.reach()
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    standby = next(name for name in settled_pair.names if name != active)
    asyncio.run(settled_pair.power_off(standby))
    run = LabStack().drift()
    assert run.code not in (0, DRIFT), f"a site with a node off was judged all the same:\n{run.output}"
    assert standby in run.output
    assert "deleted" not in run.output, f"something counts as gone:\n{run.output}"


@pytest.mark.long
def test_with_the_state_lost_up_changes_nothing_on_the_nodes(settled_pair: Machines) -> None:
    stack = LabStack()
    before = {name: asyncio.run(settled_pair.manifest(name)) for name in settled_pair.names}
    stack.forget()
    again = stack.up()
    assert "created" in again.output
    for name in settled_pair.names:
        after = asyncio.run(settled_pair.manifest(name))
        assert list(manifest.differences(before[name], after)) == [], f"`up` without a state changed {name}"
    assert stack.drift().code == 0


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_destroy_leaves_the_nodes_as_they_were_and_up_adopts_the_data(machines: Machines) -> None:
    """Compared with the nodes before the first `up`; the boot id shows that nobody was fenced."""
    snapshot.restore(snapshot.BARE)
    untouched = {name: asyncio.run(machines.manifest(name)) for name in machines.names}
    deployed.ensure(print)
    stack, hosts = LabStack(), lab_site.reach()
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    asyncio.run(machines.sudo(active, "echo kept > /mnt/mirror/squid/kept; sync"))

    stack.destroy()

    for name in machines.names:
        after = asyncio.run(machines.manifest(name))
        left = list(manifest.differences(untouched[name], after, kept=("/var/lib/squid-ha",)))
        assert left == [], f"left behind on {name}:\n" + "\n".join(left)

    stack.up()
    hosts = lab_site.reach()
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    assert asyncio.run(machines.sudo(active, "cat /mnt/mirror/squid/kept")).strip() == "kept", "the data was lost"
