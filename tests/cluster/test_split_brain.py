"""A split brain on the real pair, ended as a person says: the victim is the standby node, or the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import yaml

from operations.engines import engine_of
from operations.project import stack_file
from tests.cluster import lab_site
from tests.cluster.halves import LOG, refusing, routes_that_cut_off, serves
from tests.cluster.lab_stack import LabStack

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]


SPLIT = """
drbdadm disconnect squid-ha
drbdadm --force primary squid-ha
mkdir -p /tmp/half && mount /dev/drbd0 /tmp/half && echo only-on-the-victim >>/tmp/half/squid/access.log
umount /tmp/half; drbdadm secondary squid-ha
"""


def test_a_split_brain_ends_as_a_person_says_with_both_logs_saved(deployed_pair: Machines) -> None:
    """Written apart with the fencing off, as a pair without fencing would be after a cut network."""
    hosts, active = lab_site.ready()
    victim = lab_site.other(hosts, active)
    assert lab_site.squid_ha("maintenance", "on", "lab").returncode == 0
    for name in (active, victim):
        asyncio.run(deployed_pair.sudo(name, "drbdsetup disk-options 0 --fencing=dont-care"))
    asyncio.run(deployed_pair.sudo(victim, SPLIT))
    asyncio.run(
        deployed_pair.sudo(active, "drbdadm disconnect squid-ha; echo only-here >>/mnt/mirror/squid/access.log")
    )
    for name in (active, victim):
        asyncio.run(deployed_pair.sudo(name, "drbdadm connect squid-ha"))
    found = lab_site.until(
        lambda: hosts.run(engine_of(hosts.site).runtime.split_brain(hosts.cluster())), "the halves refuse each other"
    )
    assert set(found.said) == {active, victim}
    done = lab_site.squid_ha("resolve", "split-brain", "lab", "--victim", victim, "--yes")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stderr.splitlines() if "(victim)" in line)
    assert row.split()[2] == "1"
    saved = row.split()[-1]
    assert "only-on-the-victim" in asyncio.run(deployed_pair.sudo(victim, f"cat {saved}/access.log"))
    assert "only-here" in asyncio.run(deployed_pair.sudo(active, f"cat {saved}/access.log"))
    assert lab_site.squid_ha("maintenance", "off", "lab").returncode == 0
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the victim has been copied")
    assert status.tree.active == active


@pytest.fixture
def without_fencing(deployed_pair: Machines) -> Iterator[Machines]:
    """The lab's site, whose owner has thought better of its fencing since."""
    path = stack_file("lab")
    before = path.read_text()
    lab_site.ready()
    document = yaml.safe_load(before)
    document["config"]["squid-ha:site"]["pacemaker"]["fencing"] = {"none": "to be seen apart"}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    try:
        LabStack().up(timeout=1800)
        yield deployed_pair
    finally:
        path.write_text(before)


LATE = f"""
systemd-run --quiet --unit late sh -c '
n=0; while echo late-$n >>{LOG}; do echo late-$n >>/root/late; n=$((n + 1)); sleep 0.2; done'
"""
"""Records until the service has left the node."""


def test_of_two_halves_that_both_served_the_active_one_can_be_given_up(without_fencing: Machines) -> None:
    """A pair without fencing, cut in two: each node takes the other one for dead, and serves."""
    machines, (hosts, active) = without_fencing, lab_site.ready()
    for name in machines.names:
        asyncio.run(machines.sudo(name, "; ".join(f"ip route add {route}" for route in routes_that_cut_off(name))))
    standby = lab_site.other(hosts, active)
    lab_site.until(lambda: serves(machines, standby), "the standby node serves its own half", limit=900)
    for name in machines.names:
        asyncio.run(machines.sudo(name, f"echo only-on-{name} >>{LOG}"))
    status = lab_site.squid_ha("status", "lab")
    assert status.returncode == 3, status.stdout
    for name in machines.names:
        asyncio.run(machines.sudo(name, "; ".join(f"ip route del {route}" for route in routes_that_cut_off(name))))
    found = lab_site.until(lambda: refusing(hosts), "the halves refuse each other", limit=900)
    assert set(found) == set(machines.names)
    # Two that serve are stopped, and one is started: until then nobody is the active one.
    hosts.run(engine_of(hosts.site).runtime.wait_settled(hosts.cluster()))
    victim = lab_site.until(lambda: lab_site.active(hosts), "one node serves", limit=900)
    survivor = lab_site.other(hosts, victim)
    asyncio.run(machines.sudo(victim, LATE))
    done = lab_site.squid_ha("resolve", "split-brain", "lab", "--victim", victim, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    after = lab_site.until(lambda: lab_site.healthy(hosts), "the victim has been copied", limit=1500)
    assert after.tree.active == survivor
    log = asyncio.run(machines.sudo(survivor, f"cat {LOG}"))
    assert f"only-on-{survivor}" in log
    assert f"only-on-{victim}" not in log
    saved = [line for line in done.stderr.splitlines() if "(victim)" in line][-1].split()[-1]
    kept = asyncio.run(machines.sudo(victim, f"cat {saved}/access.log")).splitlines()
    assert f"only-on-{victim}" in kept
    late = asyncio.run(machines.sudo(victim, "cat /root/late")).split()
    assert late
    assert set(late) <= set(kept), "records that the victim made until the service left it were thrown away"
