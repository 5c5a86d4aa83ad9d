"""What is read off a resource beside what is declared of it: shown where it is not as it has to be, never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from providers.connection.errors import NotVerified, Refused
from providers.lifekeeper import filesystem, ip, mirror
from providers.lifekeeper.resource import IN_SERVICE_AT_START
from providers.lifekeeper.views import Instance, View
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.test_providers import differences, fresh, members, up

A, B = "proxy-a", "proxy-b"
ADDRESS, SQUID, VOLUME, MIRROR = "ip-192.0.2.10", "qsp-squid", "/mnt/mirror", "datarep-mirror"
NAMES = {ADDRESS: "tree-address", SQUID: "tree-squid", VOLUME: "tree-filesystem", MIRROR: "tree-mirror"}


def made(**section: Any) -> tuple[Pair, dict[str, Any]]:
    """A site that is up, and its things by name."""
    pair, listed = fresh(), members(**section)
    up(pair, listed)
    return pair, {each.name: each for each in listed}


# The initialization


@pytest.mark.parametrize("tag", NAMES)
def test_a_resource_that_would_not_come_up_with_lifekeeper_is_drift_and_repaired(tag: str) -> None:
    pair, listed = made()
    initial = pair.lcds[B].initial[tag] = "INIT_OSU"
    thing = listed[NAMES[tag]]
    assert differences(pair, thing) == [f'nodes.{B}.properties.initialize: wanted nothing, found "{initial}"']
    pair.said.clear()
    up(pair, [thing])
    line = f"/opt/LifeKeeper/bin/ins_setinit -t {tag} -I {IN_SERVICE_AT_START}"
    assert [said for said in pair.said if "ins_set" in said[1]] == [(B, line)]
    assert pair.lcds[B].initial[tag] == IN_SERVICE_AT_START


@pytest.mark.parametrize("initial", ["INIT_ISP", "SOON"])
def test_a_resource_that_may_come_up_in_another_way_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, initial: str
) -> None:
    """Which kits have `INIT_ISP` nobody has published, and another word is no known one."""
    pair, listed = made()
    monkeypatch.setattr(pair, "initialized", lambda *_: initial)
    assert [differences(pair, each) for each in listed.values()] == [[] for _ in listed]


# The other node's priority


@pytest.mark.parametrize("tag", NAMES)
def test_a_node_that_has_another_priority_of_the_other_one_is_drift_and_repaired(tag: str) -> None:
    pair, listed = made()
    pair.lcds[A].mistaken[tag] = 77
    thing = listed[NAMES[tag]]
    assert differences(pair, thing) == [f'nodes.{A}.properties.peer_priority: wanted nothing, found "77 for {B}"']
    up(pair, [thing])
    assert differences(pair, thing) == []
    assert pair.lcds[A].mistaken == {}
    assert (pair.lcds[A].priorities[tag], pair.lcds[B].priorities[tag]) == (1, 10)


def test_another_node_that_hears_nothing_of_a_priority_is_told_and_no_equivalency_is_touched() -> None:
    pair, _ = made()
    pair.silent = True
    pair.said.clear()
    with pytest.raises(NotVerified, match=r"hry_setpri .* ended well, but"):
        up(pair, members(priorities=[1, 20]))
    assert not any("eqv_" in line for _, line in pair.said)


def test_a_priority_that_was_changed_by_hand_is_named_once_though_the_other_node_has_it_as_declared() -> None:
    pair, listed = made()
    pair.silent = True
    pair.hry_setpri(B, {"tags": SQUID, "priority": 77})
    assert [each.split(":")[0] for each in differences(pair, listed["tree-squid"])] == [f"nodes.{B}.priority"]


# The address's backup interface


def backup(info: str) -> Any:
    wanted: Any = next(each.inputs for each in members() if each.name == "tree-address")
    view = View(instances={ADDRESS: Instance("comm", "ip", ADDRESS, "IP-192.0.2.10", info, "ISP")})
    return ip.KIT.by_hand["backup_interface"](wanted, view)


@pytest.mark.parametrize(
    "info",
    [
        "",
        "node1 eth0 192.0.2.10 ffffff00",
        "node1 eth0 192.0.2.10 ffffff00 none",
        "node1 eth0 192.0.2.10 ffffff00 NONE",
        "node1 eth0 192.0.2.10 ffffff00 none eth1",
        "some words of another kit of theirs",
    ],
)
def test_no_backup_interface_is_read_where_none_is_told(info: str) -> None:
    assert backup(info) is None


def test_a_backup_interface_is_refused_with_what_to_do_and_nothing_is_written() -> None:
    pair, listed = made()
    thing = listed["tree-address"]
    pair.lcds[A].instances[ADDRESS][3] = f"{A} eth0 192.0.2.10 ffffff00 eth1"
    assert differences(pair, thing) == [f'nodes.{A}.properties.backup_interface: wanted nothing, found "eth1"']
    pair.said.clear()
    with pytest.raises(Refused) as refused:
        up(pair, [thing])
    assert pair.said == []
    assert refused.value.node == A
    assert refused.value.message.startswith(f"{ADDRESS} has backup_interface eth1, and none is declared")
    assert f"lkipbu -s -t {ADDRESS}" in refused.value.remedy
    pair.lcds[A].instances[ADDRESS][3] = f"{A} eth0 192.0.2.10 ffffff00 none"
    assert differences(pair, thing) == []


# The mirror's filesystem


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ("ext3", "ext3"),
        ("ext4 rw 0", "ext4"),
        ("xfs\x02rw,noatime\x0212", "xfs"),
        ("btrfs:rw", "btrfs"),
        ("", None),
        ("rw ext3 0", None),
        ("ext3rw 0", None),
        (" ext3", None),
    ],
)
def test_the_type_of_a_filesystem_is_the_known_word_that_its_info_begins_with(info: str, kind: str | None) -> None:
    assert filesystem.type_of(Instance("gen", "filesys", VOLUME, VOLUME, info, "ISP")) == kind


def test_another_filesystem_on_the_mirror_is_refused_and_nothing_is_written_or_formatted() -> None:
    pair, listed = made()
    thing = listed["tree-mirror"]
    pair.lcds[A].instances[VOLUME][3] = "xfs rw 0"
    assert differences(pair, thing) == [f'nodes.{A}.properties.filesystem_type: wanted nothing, found "xfs"']
    pair.said.clear()
    with pytest.raises(Refused) as refused:
        up(pair, [thing])
    assert pair.said == []
    assert refused.value.message.startswith(f"{MIRROR} has filesystem_type xfs, and ext3 is declared")
    assert "nothing is formatted" in refused.value.remedy
    assert "`mirror.filesystem`" in refused.value.remedy


def test_a_mirror_without_its_filesystem_has_no_type_to_show() -> None:
    wanted: Any = next(each.inputs for each in members() if each.name == "tree-mirror")
    assert mirror.KIT.by_hand["filesystem_type"](wanted, View()) is None
