"""What a site may say of its nodes: firewall, interfaces, disks; right and wrong."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from declaration.cautions import cautions_of
from declaration.firewall import Firewall, Opening
from declaration.load import read
from tests.unit.declaration.conftest import SITES, put, refused, told

# what is set of the site of phase 3, to what, and what the sentence says
WRONG = [
    ("firewall", "managed", "`unmanaged`, `nftables`, or a section"),
    ("firewall", True, "`unmanaged`, `nftables`, or a section"),
    ("firewall", 22, "put it in quotes"),
    ("firewall", [], "`unmanaged`, `nftables`, or a section"),
    ("firewall", "unmanaged; nft flush ruleset", "`unmanaged`, `nftables`, or a section"),
    ("firewall", {"opening": []}, "perhaps `openings` is meant"),
    ("firewall", {"policy": "drop"}, "there is no such setting"),
    ("firewall.ssh_ports", 22, "a list"),
    ("firewall.ssh_ports", ["22"], "without quotes"),
    ("firewall.ssh_ports", [0], "at least 1"),
    ("firewall.ssh_ports", [65536], "at most 65535"),
    ("firewall.ssh_ports", [2222, 2222], "each port once"),
    ("firewall.ssh_ports", [3128], "taken by squid.port"),
    ("firewall.ssh_ports", [7789], "taken by mirror.port"),
    ("firewall.ssh_ports", [2222, 5405], "taken by Corosync"),
    ("firewall.ssh_ports", [3121], "taken by Pacemaker"),
    ("firewall.openings", {"port": 9100}, "a list"),
    ("firewall.openings", [9100], "a section with `port`"),
    ("firewall.openings", [{}], "required"),
    ("firewall.openings", [{"port": "ssh"}], "a whole number"),
    ("firewall.openings", [{"port": 9100, "protocol": "icmp"}], "`tcp` or `udp`"),
    ("firewall.openings", [{"port": 9100, "from": ["10.0.0.0/8"]}], "no such setting"),
    ("firewall.openings", [{"port": 9100, "networks": ["10.0.0.1"]}], "one host: `10.0.0.1/32`"),
    ("firewall.openings", [{"port": 9100, "networks": ["10.0.0.1/8"]}], "`10.0.0.0/8` holds 10.0.0.1"),
    ("firewall.openings", [{"port": 9100, "networks": ["all"]}], "such as `192.0.2.0/24`"),
    ("firewall.openings", [{"port": 9100, "networks": ["10.0.0.0/8", "10.0.0.0/8"]}], "each network once"),
    ("firewall.openings", [{"port": 9100}, {"port": 9100, "networks": ["10.0.0.0/8"]}], "each port once"),
    ("firewall.openings", [{"port": 3128}], "opened for Squid"),
    ("firewall.openings", [{"port": 7789}], "opened for the mirror"),
    ("firewall.openings", [{"port": 5405, "protocol": "udp"}], "Corosync has this one"),
    ("firewall.openings", [{"port": 3121}], "Pacemaker has this one"),
]


@pytest.fixture
def site():
    return copy.deepcopy(SITES[3])


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_wrong_settings_are_refused_with_a_sentence(site, path, value, sentence):
    if "." in path:
        site["firewall"] = {}
    put(site, path, value)
    mistakes = refused(site)
    assert [m for m in mistakes if m.path.startswith(path.partition(".")[0]) and sentence in m.expected], mistakes


def test_a_further_port_of_squid_is_none_of_ssh(site):
    put(site, "squid.more_ports", [8080])
    put(site, "firewall", {"ssh_ports": [8080]})
    assert told(site, "firewall.ssh_ports[0]", "taken by squid.more_ports[0]")


def test_the_ports_that_nodes_are_reached_by_are_ports_of_ssh(site):
    put(site, "nodes[1].ssh_port", 2222)
    put(site, "firewall", {"ssh_ports": [22, 2222, 2223]})
    assert read(site, "test").firewall == Firewall(ssh_ports=(22, 2222, 2223))


def test_a_firewall_is_declared_in_a_word_or_as_a_section(site):
    assert read(site, "test").firewall is None
    assert read({**site, "firewall": "unmanaged"}, "test").firewall is None
    assert read({**site, "firewall": "nftables"}, "test").firewall == Firewall()
    section = {"openings": [{"port": 9100, "networks": ["10.0.0.0/8"]}, {"port": 9100, "protocol": "udp"}]}
    found = read({**site, "firewall": section}, "test").firewall
    assert found == Firewall(
        openings=(Opening(port=9100, networks=("10.0.0.0/8",)), Opening(port=9100, protocol="udp"))
    )


BY_ORDER = [
    "/dev/sdb",
    "/dev/sdaa",
    "/dev/sdb1",
    "/dev/vdb",
    "/dev/xvdf",
    "/dev/nvme0n1",
    "/dev/nvme0n1p3",
    "/dev/dm-3",
]
BY_NAME = [
    "/dev/disk/by-id/scsi-0EXAMPLE_data", "/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:1:0",
    "/dev/disk/by-partlabel/squid", "/dev/mapper/vg-squid", "/dev/vg0/squid",
]  # fmt: skip


@pytest.mark.parametrize("device", BY_ORDER)
def test_a_disk_named_by_the_order_of_finding_it_is_taken_with_a_warning(site, device):
    put(site, "mirror.device", device)
    (caution,) = cautions_of(read(site, "test"))
    assert str(caution).startswith(f"mirror.device: {device}: ")
    assert "/dev/disk/by-id" in caution.advice


@pytest.mark.parametrize("device", BY_NAME)
def test_a_name_of_the_disks_own_is_no_reason_to_warn(site, device):
    put(site, "mirror.device", device)
    assert cautions_of(read(site, "test")) == []


def test_a_nodes_own_name_of_the_mirrors_disk_is_looked_at_as_well(site):
    put(site, "nodes[1].mirror_device", "/dev/sdc")
    (caution,) = cautions_of(read(site, "test"))
    assert (caution.path, caution.found) == ("nodes[1].mirror_device", "/dev/sdc")
    put(site, "nodes[1].mirror_device", "/dev/disk/by-id/scsi-0EXAMPLE_other")
    assert cautions_of(read(site, "test")) == []


def test_a_common_name_that_is_no_nodes_disk_is_not_looked_at(site):
    put(site, "mirror.device", "/dev/sdc")
    put(site, "pacemaker.fencing.sbd.device", "/dev/disk/by-id/scsi-0EXAMPLE_sbd")
    put(site, "nodes[0].mirror_device", "/dev/disk/by-id/scsi-0EXAMPLE_first")
    assert [caution.path for caution in cautions_of(read(site, "test"))] == ["mirror.device"]
    put(site, "nodes[1].mirror_device", "/dev/disk/by-id/scsi-0EXAMPLE_second")
    assert cautions_of(read(site, "test")) == []
    put(site, "mirror.device", "/dev/disk/by-id/scsi-0EXAMPLE_sbd")
    assert cautions_of(read(site, "test")) == []


def test_the_disk_of_sbd_is_looked_at_as_well(site):
    put(site, "pacemaker.fencing.sbd.device", "/dev/sdc")
    assert [caution.path for caution in cautions_of(read(site, "test"))] == ["pacemaker.fencing.sbd.device"]


@pytest.mark.parametrize(
    ("reachable", "advice"),
    [
        ("172.16.77.1", "it lies in the replication network, 172.16.77.0/24"),
        ("2001:db8::1", "the public network, 192.0.2.0/24, is of the other version of IP"),
    ],
)
def test_an_answer_that_tells_nothing_of_the_clients_network_is_warned_of(site, reachable, advice):
    put(site, "network.public.reachable", ["192.0.2.1", "198.51.100.1", reachable])
    (caution,) = [each for each in cautions_of(read(site, "test")) if "reachable" in each.path]
    assert (caution.path, caution.found) == ("network.public.reachable[2]", reachable)
    assert advice in caution.advice


def test_an_ipv6_networks_first_address_is_its_routers():
    site = copy.deepcopy(SITES[1])
    put(site, "network.public", {"interface": "eth0", "subnet": "2001:db8::/64", "reachable": ["2001:db8::"]})
    put(site, "nodes[0].address", "2001:db8::11")
    assert cautions_of(read(site, "test")) == []


PROJECT = Path(__file__).parents[3]
PROGRAM = """
import runpy, sys, warnings
warnings.simplefilter("ignore")
import asyncio, pulumi
asyncio.set_event_loop(asyncio.new_event_loop())
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args): return args.name, args.inputs
    def call(self, args): raise AssertionError(args.token)
pulumi.log.warn = print
pulumi.runtime.set_mocks(Mocks(), project="squid-ha", stack="no-file")
pulumi.runtime.set_all_config({"squid-ha:site": sys.argv[1]})
pulumi.runtime.test(lambda: runpy.run_path("__main__.py") and None)()
"""
VALIDATE = "from operations.cli import main; main()"


@pytest.mark.thorough
def test_the_program_and_validate_warn_without_failing(site, tmp_path):
    put(site, "mirror.device", "/dev/sdb")
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(yaml.safe_dump({"config": {"squid-ha:site": site}}))
    for command in ([sys.executable, "-c", PROGRAM, json.dumps(site)],
                    [sys.executable, "-c", VALIDATE, "validate", str(file)]):  # fmt: skip
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "mirror.device: /dev/sdb: the kernel gives such names" in done.stdout + done.stderr
