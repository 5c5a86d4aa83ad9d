"""What real hosts said (Debian 12, DRBD 8.4.11, drbd-utils 9.22), and what is made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from providers.connection.errors import Refused
from providers.storage import configuration, device, drbd, mount_point, status, volume
from providers.storage.device import Identity, Signature
from providers.storage.marks import is_marked, text
from providers.storage.status import Status

RECORDED = Path(__file__).parents[2] / "recorded/storage"
DEVICE = "/dev/disk/by-id/virtio-data"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def read_status(name: str, resource: str) -> Status:
    return status.parse(recorded(name), resource)


def test_nothing_configured():
    found = read_status("events2-unconfigured.txt", "r0")
    assert (found.configured, found.attached, found.connected, found.settled) == (False, False, False, True)
    assert not status.parse("", "r0").configured


def test_another_resource_is_passed_over():
    assert not read_status("events2-just-created-connected.txt", "squid-ha").configured


def test_just_created():
    alone = read_status("events2-just-created-alone.txt", "r0")
    assert (alone.attached, alone.connected, alone.disk, alone.peer_disk) == (True, False, "Inconsistent", "DUnknown")
    assert alone.settled
    both = read_status("events2-just-created-connected.txt", "r0")
    assert (both.connected, both.disk, both.peer_disk, both.in_sync) == (True, "Inconsistent", "Inconsistent", "0.0")


def test_up_to_date():
    found = read_status("events2-up-to-date.txt", "squid-ha")
    assert (found.role, found.disk, found.connection, found.in_sync) == ("Secondary", "UpToDate", "Connected", "100.0")


@pytest.mark.parametrize("disks", [{"disk": "Diskless"}, {"peer_disk": "Diskless"}, {"peer_disk": "Failed"}])
def test_a_half_without_a_disk_is_not_in_step(disks):
    whole = read_status("events2-up-to-date.txt", "squid-ha")
    assert replace(whole, **disks).in_sync == ""


def test_standing_alone_stands():
    found = read_status("events2-standalone.txt", "squid-ha")
    assert (found.connection, found.connected, found.settled, found.attached) == ("StandAlone", False, True, True)


def test_a_synchronisation_is_a_connection():
    found = read_status("events2-sync-target.txt", "squid-ha")
    assert (found.connected, found.settled, found.disk) == (True, True, "Inconsistent")
    assert found.replication == "SyncTarget"
    assert 0 <= float(found.in_sync) < 100


@pytest.mark.parametrize(
    ("connection", "disk", "settled"),
    [("NetworkFailure", "UpToDate", False), ("Connected", "Negotiating", False), ("", "UpToDate", True)],
)
def test_states_that_pass(connection, disk, settled):
    assert Status(configured=True, connection=connection, disk=disk).settled is settled


def test_generations():
    assert drbd.blank_generation(recorded("get-gi-just-created.txt"))
    assert not drbd.blank_generation(recorded("get-gi-up-to-date.txt"))
    assert not drbd.blank_generation("")


def read_disk(listed: str, signatures: str) -> device.Disk:
    return device.parse(DEVICE, "/dev/drbd0", recorded(listed), recorded(signatures))


def judge(disk: device.Disk, *, marked: bool = False, takeover: bool = False) -> bool:
    return device.needs_metadata("qsp-a", disk, DEVICE, marked=marked, takeover=takeover)


def test_a_blank_disk():
    disk = read_disk("lsblk-blank.json", "wipefs-blank.json")
    assert disk.identity == Identity(device=DEVICE, size="5368709120", serial="data")
    assert judge(disk) is True


def test_no_such_disk():
    with pytest.raises(Refused, match="there is no block device"):
        judge(read_disk("lsblk-no-device.json", "wipefs-blank.json"))


def test_metadata_is_adopted_with_a_mark_or_by_takeover_only():
    disk = read_disk("lsblk-blank.json", "wipefs-drbd.json")
    with pytest.raises(Refused, match="that this site did not make"):
        judge(disk)
    assert judge(disk, marked=True) is False
    assert judge(disk, takeover=True) is False


def test_a_running_mirror_is_no_foreign_use_of_its_own_disk():
    disk = read_disk("lsblk-mirror.json", "wipefs-mirror-ext3.json")
    assert disk.uses == ()
    assert disk.metadata
    assert disk.content == (Signature("ext3", "squid-mirror"),)
    assert judge(disk, marked=True) is False


def test_the_root_disk_is_refused_whatever_is_declared():
    disk = read_disk("lsblk-root.json", "wipefs-blank.json")
    with pytest.raises(Refused, match="in use: mounted at /"):
        judge(disk, marked=True, takeover=True)


def row(**changes: object) -> str:
    base = {"name": "/dev/vdb", "type": "disk", "size": 1, "serial": None, "ro": False, "mountpoints": [None]}
    return json.dumps({"blockdevices": [{**base, **changes}]})


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (row(children=[{"name": "/dev/vdb1", "type": "part"}]), "part /dev/vdb1"),
        (row(children=[{"name": "/dev/mapper/x", "type": "crypt"}]), "crypt /dev/mapper/x"),
        (row(children=[{"name": "/dev/md127", "type": "raid1"}]), "raid1 /dev/md127"),
        (row(children=[{"name": "/dev/drbd7", "type": "disk"}]), "disk /dev/drbd7"),
        (row(mountpoints=["/srv"]), "mounted at /srv"),
        (row(mountpoints=["[SWAP]"]), r"in use as \[SWAP\]"),
        (row(ro=True), "read-only"),
    ],
)
def test_a_disk_in_use_is_refused_even_with_a_mark(listed, words):
    disk = device.parse(DEVICE, "/dev/drbd0", listed, recorded("wipefs-blank.json"))
    with pytest.raises(Refused, match=words):
        judge(disk, marked=True, takeover=True)


@pytest.mark.parametrize(
    "kind", ["ext3", "xfs", "LVM2_member", "linux_raid_member", "gpt", "dos", "swap", "crypto_LUKS"]
)
@pytest.mark.parametrize("marked", [False, True])
def test_any_content_without_metadata_is_refused(kind, marked):
    disk = device.Disk(Identity(device=DEVICE, size="1", serial=""), (Signature(kind, "old"),))
    with pytest.raises(Refused, match=rf"not blank: it carries {kind} \(label old\)"):
        judge(disk, marked=marked, takeover=True)


def test_a_mark_is_for_one_disk_only():
    identity = Identity(device=DEVICE, size="1", serial="a")
    assert is_marked(identity, None, text(identity))
    assert not is_marked(identity.model_copy(update={"serial": "b"}), text(identity))
    assert not is_marked(identity, None)
    assert not is_marked(None, text(identity))


def test_configuration():
    found = configuration.parse("0600 root:root\nabc\nresource r0 {\n}\n")
    assert (found.file.mode, found.file.owner, found.file.content, found.secret) == (
        "0600", "root:root", "resource r0 {\n}\n", "abc",
    )  # fmt: skip
    assert configuration.parse("").file.content is None
    none = configuration.parse("0600 root:root\nnone\n")
    assert configuration.compared({"a": found, "b": found}) == {"a": "shared", "b": "shared"}
    assert configuration.compared({"a": found, "b": none}) == {"a": "shared", "b": "missing"}


def test_mount_point():
    assert mount_point.parse("missing /mnt/mirror\n").missing == "/mnt/mirror"
    guarded = mount_point.parse("0000 root:root\ni\n")
    assert (guarded.state, guarded.occupied) == ("0000 root:root i", False)
    plain = mount_point.parse("0755 root:root\n\nfile\n")
    assert (plain.state, plain.occupied) == ("0755 root:root", True)


def test_directories():
    found = volume.parse_entries("0750 proxy:proxy squid\n", ["squid", "rotation"])
    assert found == {"squid": "0750 proxy:proxy", "rotation": None}


def test_a_mount_point_goes_back_to_a_group_with_blanks_in_its_name():
    found = mount_point.parse("0750 root:domain users\ni\n")
    assert found.state == "0750 root:domain users i"
    assert mount_point._write("/mnt/mirror", found.state).argv[-3:] == ("0750", "root:domain users", "i")
    assert mount_point._write("/mnt/mirror", "0755 root:root").argv[-3:] == ("0755", "root:root", "")
