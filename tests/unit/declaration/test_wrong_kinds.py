"""Every number, truth value, list and section, found by walking the models; disks and addresses of others."""

import copy

import pytest

from declaration.load import read
from tests.support.string_settings import other_settings
from tests.unit.declaration.conftest import SITES, put, refused
from tests.unit.declaration.test_wrong_strings import place

SETTINGS = other_settings()
OR_TEXT = {"rotation.date_suffix", "squid.access[0].ports[0]"}
"""Truth values and numbers that text may stand for; the strings' own tests have these."""

# what is given to a setting of a kind, and what the sentence says
WRONG = {
    "int": [
        ("14", "without quotes"), (14.5, "a whole number"), (True, "a whole number"), (-(10**9), "at least"),
        (10**20, "at most"), ([1], "a whole number"), ({}, "a whole number"), ("x; id", "a whole number"),
        (float("nan"), "a whole number"), (float("inf"), "a whole number"),
    ],
    "bool": [
        ("yes", "`true` or `false`"), ("true", "without quotes"), (1, "`true` or `false`"), (0, "`true` or `false`"),
        (1.0, "`true` or `false`"), ([], "`true` or `false`"), ({}, "`true` or `false`"), ("", "`true` or `false`"),
    ],
    "list": [("x", "a list"), (1, "a list"), (True, "a list"), ({"x": 1}, "a list"), (None, "a list")],
    "section": [("x", "a section"), (1, "a section"), (True, "a section"), ([], "a section"), (["x"], "a section")],
}  # fmt: skip
CASES = [(kind, value, sentence) for kind, rows in WRONG.items() for value, sentence in rows]


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "value", "sentence"), CASES, ids=lambda each: repr(each)[:20])
def test_every_setting_of_a_kind_refuses_what_is_of_another(kind, value, sentence):
    left = []
    for path, found in SETTINGS:
        if found != kind or path in OR_TEXT:
            continue
        raw = copy.deepcopy(SITES[3])
        place(raw, path, value)
        told = [mistake.expected for mistake in refused(raw) if mistake.path == path]
        if not any(sentence in each for each in told):
            left.append((path, told))
    assert left == []


def test_the_walk_finds_them():
    kinds = [kind for _, kind in SETTINGS]
    assert {kind: kinds.count(kind) >= 8 for kind in WRONG} == dict.fromkeys(WRONG, True)


@pytest.mark.parametrize(
    "path",
    ["/dev/root", "/dev/mapper/debian--vg-root", "/dev/vg0/root", "/dev/vg0/swap_1", "/dev/mapper/vg-boot",
     "/dev/disk/by-label/rootfs", "/dev/disk/by-partlabel/EFI", "/dev/disk/by-label/cloudimg-rootfs", "/dev/vg/var"],
)  # fmt: skip
@pytest.mark.parametrize("setting", ["mirror.device", "pacemaker.fencing.sbd.device"])
def test_a_disk_of_the_system_is_refused_by_its_name(site, setting, path):
    put(site, setting, path)
    assert any(m.path == setting and "the system's by its name" in m.expected for m in refused(site))


@pytest.mark.parametrize(
    "path",
    ["/dev/sdb", "/dev/vdb1", "/dev/nvme1n1", "/dev/mapper/vg0-data", "/dev/vg0/squid", "/dev/disk/by-id/virtio-data",
     "/dev/disk/by-path/pci-0000:00:1f.2-ata-1", "/dev/disk/by-id/wwn-0x5000c500a0b1c2d3", "/dev/vg0/rootless"],
)  # fmt: skip
def test_other_disks_are_accepted(site, path):
    put(site, "mirror.device", path)
    mirror = read(site, "x").mirror
    assert mirror is not None
    assert mirror.device == path


# settings, the path at fault, what the sentence says: of addresses that belong somewhere else
ADDRESSES = [
    ({"virtual_ip": "172.16.77.10"}, "virtual_ip", "in 192.0.2.0/24"),
    ({"virtual_ip": "192.0.2.0"}, "virtual_ip", "neither its first nor its last"),
    ({"virtual_ip": "192.0.2.255"}, "virtual_ip", "neither its first nor its last"),
    ({"virtual_ip": "192.0.2.12"}, "virtual_ip", "that of proxy-b"),
    ({"virtual_ip": "::ffff:192.0.2.10"}, "virtual_ip", "in its own notation"),
    ({"virtual_ip": "127.0.0.1"}, "virtual_ip", "one host"),
    ({"virtual_ip": "255.255.255.255"}, "virtual_ip", "one host"),
    ({"virtual_ip": "fe80::1%eth0"}, "virtual_ip", "without a zone"),
    ({"nodes[1].address": "172.16.77.12"}, "nodes[1].address", "in 192.0.2.0/24"),
    ({"nodes[1].address": "2001:db8::12"}, "nodes[1].address", "in 192.0.2.0/24"),
    ({"nodes[1].replication_address": "192.0.2.12"}, "nodes[1].replication_address", "in 172.16.77.0/24"),
    ({"nodes[1].replication_address": "172.16.77.255"}, "nodes[1].replication_address", "neither its first"),
    ({"network.public.subnet": "10.0.0.0/8"}, "nodes[0].address", "in 10.0.0.0/8"),
    ({"network.public.subnet": "10.0.0.0/8"}, "virtual_ip", "in 10.0.0.0/8"),
    ({"network.replication.subnet": "192.0.0.0/16"}, "network.replication.subnet", "apart from the public one"),
    ({"network.replication.subnet": "192.0.2.0/30"}, "network.replication.subnet", "apart from the public one"),
    ({"network.public.reachable": ["192.0.2.10"]}, "network.public.reachable[0]", "outside of this site"),
    ({"network.public.reachable": ["0.0.0.0"]}, "network.public.reachable[0]", "one host"),
    ({"time.servers": ["proxy-a"]}, "time.servers[0]", "outside of this site"),
    ({"time.servers": ["172.16.77.11"]}, "time.servers[0]", "outside of this site"),
]


@pytest.mark.parametrize(("settings", "path", "sentence"), ADDRESSES)
def test_an_address_that_belongs_elsewhere_is_refused(site, settings, path, sentence):
    for setting, value in settings.items():
        put(site, setting, value)
    found = refused(site)
    assert any(m.path == path and sentence in m.expected for m in found), [m.render() for m in found]
