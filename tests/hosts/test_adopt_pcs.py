"""A Pacemaker pair that somebody built with pcs is taken over: its names stay, nothing on it changes, no diff is left.

Phase 2, without a mirror, which containers have not. The tests build on each other, in this order.
"""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest

from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from tests.hosts.test_adopt import BY_HAND, CHRONY, adopt, files_of, fresh, written
from tests.support.stack import DRIFT, PROJECT, Run, Stack
from tests.support.things import Site, difference, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

A, B = "qsp-a", "qsp-b"
NODES = f"{A}=ops@192.0.2.11,{B}=ops@192.0.2.12"
NAME = "test-adopt-pcs"
PACKAGES = "squid chrony logrotate corosync pacemaker resource-agents pcs"
COROSYNC = """\
totem {
    version: 2
    cluster_name: office
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
}
nodelist {
    node {
        ring0_addr: 192.0.2.11
        name: qsp-a
        nodeid: 1
    }
    node {
        ring0_addr: 192.0.2.12
        name: qsp-b
        nodeid: 2
    }
}
quorum {
    provider: corosync_votequorum
    two_node: 1
}
logging {
    to_syslog: yes
}
"""
ON_BOTH = f"""
cat >/etc/squid/squid.conf <<'END'
{BY_HAND}END
cat >/etc/chrony/chrony.conf <<'END'
{CHRONY}END
cat >/etc/corosync/corosync.conf <<'END'
{COROSYNC}END
systemctl restart chrony; systemctl enable -q chrony
systemctl disable -q --now squid pcsd
chronyc waitsync 60 0.5 0 1
systemctl stop pacemaker corosync
"""
BUILD = """
pcs property set stonith-enabled=false
pcs property set no-quorum-policy=ignore
pcs resource create proxy systemd:squid op monitor interval=30s
pcs resource create office-ip ocf:heartbeat:IPaddr2 ip=192.0.2.10 cidr_netmask=24 nic=eth0 op monitor interval=10s
pcs resource group add office proxy office-ip
pcs resource create other-ip ocf:heartbeat:IPaddr2 ip=192.0.2.77 cidr_netmask=24 nic=eth0 op monitor interval=10s
pcs resource defaults update resource-stickiness=100
"""
CONFIGURATION = "cibadmin --query --scope configuration"
ACTIVE = "crm_resource --resource proxy --locate 2>&1 | sed -n 's/.*running on: *//p'"


def squid_ha(stack: Stack, *arguments: str) -> Run:
    """A command of this program's on the stack."""
    done = subprocess.run(
        [PROJECT / ".venv/bin/squid-ha", *arguments],
        cwd=PROJECT, env=stack.environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    """The pair, as its builder left it."""
    there = site(pair, name=NAME)
    for node in (A, B):
        install = f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install {PACKAGES} >/dev/null"
        asyncio.run(pair.sudo(node, install, timeout=900))
        there.sh(node, ON_BOTH)
    there.sh(A, "corosync-keygen -l >/dev/null")
    key = there.sh(A, "base64 /etc/corosync/authkey")
    there.sh(B, f"base64 -d >/etc/corosync/authkey <<'END'\n{key}END\nchmod 400 /etc/corosync/authkey")
    for node in (A, B):
        there.sh(node, "systemctl enable -q --now corosync pacemaker")
    for line in BUILD.strip().splitlines():
        # The first waits until the nodes have found each other.
        there.sh(A, f"for i in $(seq 60); do {line} && exit 0; sleep 1; done; exit 1")
    # Before the cluster has elected who coordinates it there is nothing to wait for.
    there.sh(A, f'for i in $(seq 100); do [ -n "$({ACTIVE})" ] && exit 0; sleep 1; done; crm_mon -1rf >&2; exit 1')
    there.sh(A, "crm_resource --wait --timeout=60")
    return there


@pytest.fixture(scope="module")
def adopted(hosts, pair, tmp_path_factory) -> tuple[Stack, Run]:
    stack = fresh(NAME, tmp_path_factory.mktemp("stack"))
    run = adopt(pair, NAME, NODES, stack)
    assert run.code == 0, run.output
    written(stack)
    return stack, run


def test_it_is_described_under_its_own_names(adopted):
    stack, run = adopted
    members = stack.site["pacemaker"]["adopted"]["members"]
    assert {name: each["id"] for name, each in members.items()} == {"squid": "proxy", "address": "office-ip"}
    assert stack.site["virtual_ip"] == "192.0.2.10"
    options = stack.site["pacemaker"]["adopted"]["options"]
    assert options == {"stonith-enabled": "false", "no-quorum-policy": "ignore", "resource-stickiness": "100"}
    document = json.loads(run.output)
    assert document["would_change"] == []
    assert any("other-ip" in each["place"] for each in document["notes"]), document["notes"]


def test_up_changes_nothing_and_the_next_preview_is_empty(adopted, hosts):
    stack, _ = adopted
    before = {name: files_of(hosts, name) for name in (A, B)}
    cib, pid = hosts.sh(A, CONFIGURATION), hosts.sh(hosts.sh(A, ACTIVE).strip(), "systemctl show -P MainPID squid")
    stack.up()
    for name in (A, B):
        assert difference(before[name], files_of(hosts, name)) == []
    assert hosts.sh(A, CONFIGURATION) == cib
    assert hosts.sh(hosts.sh(A, ACTIVE).strip(), "systemctl show -P MainPID squid") == pid, "Squid was started anew"
    assert "unchanged" in stack.preview("--expect-no-changes").output
    assert stack.drift().code == 0
    drift = squid_ha(stack, "drift", NAME)
    assert drift.code == 0, drift.output


def test_it_is_shown_and_moved(adopted, hosts):
    stack, _ = adopted
    status = squid_ha(stack, "status", NAME)
    assert status.code == 0, status.output
    assert "office-ip" in status.output
    assert "other-ip" not in status.output.split("notice")[0]
    there = hosts.sh(A, ACTIVE).strip()
    moved = squid_ha(stack, "switchover", NAME)
    assert moved.code == 0, moved.output
    assert hosts.sh(A, ACTIVE).strip() == ({A, B} - {there}).pop()
    assert "cli-" not in hosts.sh(A, CONFIGURATION), "the move left a constraint"
    assert squid_ha(stack, "drift", NAME).code == 0


@pytest.mark.parametrize(
    ("change", "back", "named"),
    [
        (
            "pcs resource update office-ip cidr_netmask=25",
            "pcs resource update office-ip cidr_netmask=24",
            "tree-address",
        ),
        ("pcs property set no-quorum-policy=stop", "pcs property set no-quorum-policy=ignore", "options"),
    ],
)
def test_what_is_changed_by_hand_is_drift(adopted, hosts, change, back, named):
    stack, _ = adopted
    hosts.sh(A, change)
    found = squid_ha(stack, "drift", NAME)
    hosts.sh(A, f"{back}; crm_resource --wait --timeout=60")
    assert found.code == 3, found.output
    assert named in found.output
    assert squid_ha(stack, "drift", NAME).code == 0


def test_up_refuses_to_repair_what_nobody_here_knows(adopted, hosts):
    stack, _ = adopted
    run_sync(close_all())
    hosts.sh(A, "pcs resource update proxy op monitor interval=77s")
    assert stack.drift().code == DRIFT
    run = stack.up("--refresh", check=False)
    hosts.sh(A, "pcs resource update proxy op monitor interval=30s; crm_resource --wait --timeout=60")
    assert run.code != 0
    assert "adopted as it was found" in run.output


def test_destroy_leaves_the_cluster_as_it_was_found(adopted, hosts):
    stack, _ = adopted
    stack.up("--refresh")
    cib = hosts.sh(A, CONFIGURATION)
    stack.destroy()
    assert hosts.sh(A, CONFIGURATION) == cib
    assert hosts.sh(A, ACTIVE).strip() in (A, B)
    assert not hosts.sh(A, f"ls /var/lib/squid-ha/{NAME} 2>/dev/null; true").strip()
