"""The text of a resource file; the lab's DRBD 8.4 accepts it (tests/cluster/test_storage.py)."""

from __future__ import annotations

from providers.storage.resource_file import SECRET, ResourceFile, ResourceHost, of_connection, render


def file(**changes: object) -> ResourceFile:
    base = ResourceFile(
        resource="squid-ha", volume="/dev/drbd0", device="/dev/disk/by-id/virtio-data", fencing=True,
        hosts=[ResourceHost(name="qsp-a", address="172.16.77.11"), ResourceHost(name="qsp-b", address="fd00::12")],
    )  # fmt: skip
    return base.model_copy(update=changes)


def section(text: str, name: str) -> str:
    return text.split(f"    {name} {{\n", 1)[1].split("    }\n", 1)[0]


def test_8_4_says_fencing_in_disk_and_9_in_net():
    old, new = render(file()), render(file(version="9"))
    assert "fencing resource-and-stonith;" in section(old, "disk")
    assert "fencing" not in section(old, "net")
    assert "fencing resource-and-stonith;" in section(new, "net")
    assert "crm-fence-peer.9.sh" in new
    assert "crm-fence-peer.9" not in old


def test_without_fencing_no_handler():
    text = render(file(fencing=False))
    assert "fencing" not in text
    assert "handlers" not in text


def test_authenticated_and_nothing_is_resolved_by_a_guess():
    net = section(render(file()), "net")
    assert f'shared-secret "{SECRET}";' in net
    assert "cram-hmac-alg sha256;" in net
    assert net.count(" disconnect;") == 3


def test_addresses_of_both_families():
    text = render(file())
    assert "address ipv4 172.16.77.11:7789;" in section(text, "on qsp-a")
    assert "address ipv6 [fd00::12]:7789;" in section(text, "on qsp-b")


def test_a_disk_that_has_another_path_on_a_node_is_said_of_each_node():
    """drbdadm 9.22, and its parser of 8.4, take a disk in `on` beside `device` and `meta-disk` of the resource."""
    first, second = file().hosts
    assert render(file(hosts=[first.model_copy(update={"device": file().device}), second])) == render(file())
    other = second.model_copy(update={"device": "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"})
    text = render(file(hosts=[first, other]))
    assert "        disk /dev/disk/by-id/virtio-data;\n" in section(text, "on qsp-a")
    assert '        disk "/dev/disk/by-path/pci-0000:00:1f.2-ata-1";\n' in section(text, "on qsp-b")
    assert "\n    disk /" not in text
    assert of_connection(text) == of_connection(render(file())), "no other connection"


def test_a_disk_named_by_its_path_is_one_word():
    """drbdadm 9.22: `disk /dev/disk/by-path/pci-0000:00:1f.2-ata-1;` is a parse error at the first colon."""
    assert '    disk "/dev/disk/by-path/pci-0000:00:1f.2-ata-1";\n' in render(
        file(device="/dev/disk/by-path/pci-0000:00:1f.2-ata-1")
    )
    assert "    disk /dev/disk/by-id/virtio-data;\n" in render(file())
