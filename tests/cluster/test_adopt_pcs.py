"""A mirrored pair that somebody built with pcs and drbdadm, under names of their own, is taken over as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import snapshot
from lab.paths import run_directory
from tests.cluster import lab_site
from tests.cluster.adopted import Way, is_operated
from tests.hosts.test_adopt import BY_HAND, CHRONY, adopt, fresh, written
from tests.hosts.test_adopt_pcs import ACTIVE, CONFIGURATION, COROSYNC, NODES, squid_ha
from tests.support.things import Site, site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

A, B = "qsp-a", "qsp-b"
NAME = "test-adopt-pcs-mirror"
PACKAGES = "squid chrony logrotate corosync pacemaker resource-agents pcs drbd-utils psmisc curl"
LOG = "/srv/proxy/log/access.log"
RESOURCE = """\
resource r0 {
  device /dev/drbd1;
  disk /dev/disk/by-id/virtio-data;
  meta-disk internal;
  net { protocol C; cram-hmac-alg sha1; shared-secret "only-for-tests"; }
  on qsp-a { address 172.16.77.11:7790; }
  on qsp-b { address 172.16.77.12:7790; }
}
"""
ON_BOTH = f"""
cat >/etc/squid/squid.conf <<'END'
{BY_HAND.replace("access_log daemon:", "access_log stdio:")}
access_log stdio:{LOG} squid
END
cat >/etc/chrony/chrony.conf <<'END'
{CHRONY}END
cat >/etc/corosync/corosync.conf <<'END'
{COROSYNC}END
cat >/etc/drbd.d/r0.res <<'END'
{RESOURCE}END
systemctl restart chrony
systemctl disable -q --now squid pcsd
systemctl stop pacemaker corosync
mkdir -p /srv/proxy
modprobe drbd
drbdadm create-md --force r0 >/dev/null 2>&1
drbdadm up r0
"""
VOLUME = """
for i in $(seq 60); do drbdadm cstate r0 | grep -q '^Connected' && break; sleep 1; done
drbdadm -- --clear-bitmap new-current-uuid r0/0
drbdadm primary r0
mkfs.ext4 -q /dev/drbd1
mount /dev/drbd1 /srv/proxy
install -d -o proxy -g proxy -m 750 /srv/proxy/log
umount /srv/proxy
drbdadm secondary r0
"""
MIRROR = """
pcs property set stonith-enabled=false
pcs property set no-quorum-policy=ignore
pcs resource create drbd_logs ocf:linbit:drbd drbd_resource=r0 op monitor interval=29s role=Promoted timeout=60s \
    op monitor interval=31s role=Unpromoted timeout=60s promotable promoted-max=1 promoted-node-max=1 clone-max=2 \
    clone-node-max=1 notify=true
pcs resource create fs_logs ocf:heartbeat:Filesystem device=/dev/drbd1 directory=/srv/proxy fstype=ext4 --group office
pcs resource create proxy systemd:squid op monitor interval=30s --group office
pcs resource create office-ip ocf:heartbeat:IPaddr2 ip=192.0.2.10 cidr_netmask=24 nic=eth0 --group office
pcs constraint colocation add office with Promoted drbd_logs-clone INFINITY
pcs constraint order promote drbd_logs-clone then start office
"""


@pytest.fixture
def hosts(bare: Machines) -> Site:
    """The pair, as its builder left it."""
    there = site(bare, name=NAME)
    install = f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install {PACKAGES} >/dev/null"

    async def prepared() -> None:
        await asyncio.gather(*(bare.sudo(node, install, timeout=1800) for node in (A, B)))

    asyncio.run(prepared())
    for node in (A, B):
        there.sh(node, ON_BOTH)
    there.sh(A, VOLUME)
    there.sh(A, "corosync-keygen -l >/dev/null")
    key = there.sh(A, "base64 /etc/corosync/authkey")
    there.sh(B, f"base64 -d >/etc/corosync/authkey <<'END'\n{key}END\nchmod 400 /etc/corosync/authkey")
    for node in (A, B):
        there.sh(node, "systemctl enable -q --now corosync pacemaker")
    for line in MIRROR.replace("\\\n", "").strip().splitlines():
        # The first waits until the nodes have found each other.
        there.sh(A, f"for i in $(seq 60); do {line} && exit 0; sleep 1; done; exit 1")
    lab_site.until(lambda: there.sh(A, ACTIVE).strip() or None, "the service that was built by hand runs", limit=300)
    there.sh(A, "crm_resource --wait --timeout=90; chronyc waitsync 300 0.4 0 1 >/dev/null")
    there.sh(B, "chronyc waitsync 300 0.4 0 1 >/dev/null")
    return there


def test_a_mirrored_pair_built_with_pcs_is_adopted_operated_and_looked_at(
    hosts: Site, bare: Machines, tmp_path: Path
) -> None:
    way = Way(bare.identity, bare.known_hosts, run_directory())
    stack = fresh(NAME, tmp_path)
    run = adopt(way, NAME, NODES, stack)
    assert run.code == 0, run.output
    assert json.loads(run.output)["would_change"] == []
    written(stack)
    adopted = stack.site["pacemaker"]["adopted"]
    assert {name: each["id"] for name, each in adopted["members"].items()} == {
        "mirror": "drbd_logs", "filesystem": "fs_logs", "squid": "proxy", "address": "office-ip",
    }  # fmt: skip
    assert adopted["mirror"]["resource"] == "r0"
    assert stack.site["mirror"]["device"] == "/dev/disk/by-id/virtio-data"
    assert (stack.site["log"]["access"], stack.site["log"]["mirror_directory"]) == ("both", "log")

    cib = hosts.sh(A, CONFIGURATION)
    dumps = {name: hosts.sh(name, "drbdadm dump r0; ls -l /etc/drbd.d") for name in (A, B)}
    active = hosts.sh(A, ACTIVE).strip()
    process = hosts.sh(active, "systemctl show -P MainPID squid")
    stack.up()
    assert hosts.sh(A, CONFIGURATION) == cib
    assert {name: hosts.sh(name, "drbdadm dump r0; ls -l /etc/drbd.d") for name in (A, B)} == dumps
    assert hosts.sh(active, "systemctl show -P MainPID squid") == process, "Squid was started anew"
    assert "unchanged" in stack.preview("--expect-no-changes").output
    drift = squid_ha(stack, "drift", NAME)
    assert drift.code == 0, drift.output

    is_operated(hosts, stack, lambda: hosts.sh(A, ACTIVE).strip(), ({A, B} - {active}).pop())

    hosts.sh(B, "sed -i 's/7790/7791/' /etc/drbd.d/r0.res")
    drift = squid_ha(stack, "drift", NAME)
    hosts.sh(B, "sed -i 's/7791/7790/' /etc/drbd.d/r0.res")
    assert drift.code == 3, drift.output
    assert "mirror" in drift.output
    assert squid_ha(stack, "drift", NAME).code == 0
    snapshot.restore(snapshot.BARE)
