"""Pairs that somebody built by hand, or cloned, and that are unlike what this program makes in how they are built."""

import pytest

from providers.connection.errors import Refused
from tests.unit.lifekeeper.test_providers import differences, fresh, members, up

ADDRESS, SQUID = "ip-192.0.2.10", "qsp-squid"


def made(phase=2):
    pair, listed = fresh(), members(phase)
    up(pair, listed)
    pair.said.clear()
    return pair, listed


def test_a_dependency_that_would_close_a_circle_is_refused_before_anything_is_said():
    """Squid above its address, as many build it by hand; here it is the other way round."""
    pair, listed = made()
    for lcd in pair.lcds.values():
        lcd.ties = [(SQUID, ADDRESS)]
    with pytest.raises(Refused, match=f"{SQUID} → {ADDRESS}") as refused:
        up(pair, listed)
    assert f"`dep_remove -p {SQUID} -c {ADDRESS}`" in str(refused.value)
    assert not any("dep_create" in line for _, line in pair.said)
    assert all(lcd.ties == [(SQUID, ADDRESS)] for lcd in pair.lcds.values())


def test_a_circle_by_way_of_somebody_elses_resource_is_refused_too():
    pair, listed = made()
    for lcd in pair.lcds.values():
        lcd.instances["app-other"] = ["gen", "app", "other", "", "ISP", "intelligent"]
        lcd.priorities["app-other"] = 1
        lcd.ties = [(SQUID, "app-other"), ("app-other", ADDRESS)]
    with pytest.raises(Refused, match=f"{SQUID} → app-other → {ADDRESS}"):
        up(pair, listed)


def mirror_by_another_name(names):
    """The pair's mirror, whose id LifeKeeper shows by the kernel's name of the disk; ``names`` as udev has them."""
    pair, listed = made(3)
    (mirror,) = (each for each in listed if each.kind == "lifekeeper.mirror")
    for lcd in pair.lcds.values():
        lcd.instances[mirror.inputs.tag][2] = "/dev/sdb"
        lcd.disks = f"/dev/sdb {names.format(declared=mirror.inputs.device)}\n"
    return pair, mirror


def test_a_disk_that_is_shown_by_another_of_its_names_is_the_declared_one():
    pair, mirror = mirror_by_another_name("/dev/sdb {declared} /dev/disk/by-path/pci-1")
    assert differences(pair, mirror) == []
    up(pair, [mirror])
    assert pair.said == []


def test_another_disk_is_not():
    pair, mirror = mirror_by_another_name("/dev/sdb /dev/disk/by-id/scsi-0OTHER")
    assert differences(pair, mirror) != []
    with pytest.raises(Refused, match="has device /dev/sdb"):
        up(pair, [mirror])


def test_no_path_is_made_on_a_node_that_lifekeeper_knows_by_another_name():
    pair = fresh()
    pair.lcds["proxy-b"].uname = "template"
    with pytest.raises(Refused, match="knows this node as template, not as proxy-b") as refused:
        up(pair, members(2))
    assert "/opt/LifeKeeper/config" in str(refused.value)
    assert not any("sys_create" in line or "net_create" in line for _, line in pair.said)
