"""What is read off a resource beside what is declared of it: shown where it is not as it has to be, never guessed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from providers import reconcile
from providers.connection.errors import NotVerified, Refused
from providers.connection.fake import FakeNode
from providers.contract import Present
from providers.lifekeeper import filesystem, ip, mirror, views
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


async def test_what_is_on_it_is_looked_for_where_the_same_reading_has_it_in_service() -> None:
    pair, listed = fresh(), members()
    for each in listed:
        await reconcile.apply(each.kind, pair.cluster(each.name), each.inputs)
    cluster = pair.cluster()
    nodes = [cast(FakeNode, node) for node in cluster.nodes.values()]
    found = await filesystem.observe(cluster, next(each.inputs for each in listed if each.name == "tree-filesystem"))
    assert isinstance(found, Present)
    assert found.facts["mounted"] == A
    for node in nodes:
        assert [str(each) for each in node.commands].count(str(views.asks("lcdstatus"))) == 1


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


# The mirror's bitmap and replication address

CUSTOMARY = "/opt/LifeKeeper/bitmap__mnt_mirror"
OURS = ("172.16.77.11", "172.16.77.12")


def told(info: str, **declared: Any) -> dict[str, str]:
    """Property → what is shown of a mirror with that info."""
    wanted: Any = next(each.inputs for each in members(replication=declared) if each.name == "tree-mirror")
    view = View(instances={MIRROR: Instance("scsi", "netraid", MIRROR, "/dev/sdb", info, "ISP")})
    looks = {key: mirror.KIT.by_hand[key](wanted, view) for key in ("bitmap", "replication_address")}
    return {key: each.found for key, each in looks.items() if each}


@pytest.mark.parametrize(
    "info",
    [
        "",
        "0",
        "some words of another version",
        # With blanks between, the words may be anything.
        "0 /dev/sdb 10.9.9.9 /dev/md0 /srv/bitmap 256K",
        "0\x02/dev/sdb\x02\x02/dev/md0\x02\x02256K",
        f"0\x02/dev/sdb\x02{OURS[0]}\x02/dev/md0\x02{CUSTOMARY}\x02256K\x02synchronous",
        f"0\x07/dev/sdb\x07{OURS[1]}\x0710485760\x07/dev/md0\x07{CUSTOMARY}\x07256M\n",
        f"0\ufffd/dev/disk/by-id/bitmap-disk\ufffd{OURS[1]}\ufffd/dev/mapper/bitmap",
        # LifeKeeper's to choose, and of another version's choosing.
        "0\x02/opt/LifeKeeper/config/bitmap.datarep-mirror",
        # Of several, one is right.
        f"10.9.9.9\x02{OURS[0]}\x02/srv/bitmap\x02{CUSTOMARY}",
        "0.0.0.0\x02127.0.0.1\x02::\x02::1\x021.2.3",
        "/mnt/bitmaps/of/others\x02bitmap\x02./bitmap\x02/srv/a bitmap",
    ],
)
def test_no_other_bitmap_or_address_is_read_where_none_is_told(info: str) -> None:
    assert told(info) == {}


@pytest.mark.parametrize(
    ("info", "declared", "shown"),
    [
        (f"0\x02{OURS[0]}\x02/srv/bitmap", {}, {"bitmap": "/srv/bitmap"}),
        (f"0\x02{CUSTOMARY}", {"bitmap": "/srv/bitmap"}, {"bitmap": CUSTOMARY}),
        ("0\x02/srv/bitmap", {"bitmap": "/srv/bitmap"}, {}),
        # A name of one's own need not have the word.
        ("0\x02/srv/changes", {"bitmap": "/srv/changes"}, {}),
        (f"0\x0210.9.9.9\x02{CUSTOMARY}", {}, {"replication_address": "10.9.9.9"}),
        (
            "10.9.9.8\x01fd00::9\x01/srv/bitmap",
            {},
            {"replication_address": "10.9.9.8, fd00::9", "bitmap": "/srv/bitmap"},
        ),
    ],
)
def test_another_bitmap_or_address_is_shown(info: str, declared: dict[str, Any], shown: dict[str, str]) -> None:
    assert told(info, **declared) == shown


def test_of_a_node_that_is_away_no_address_is_known_to_compare_with() -> None:
    wanted: Any = next(each.inputs for each in members() if each.name == "tree-mirror")
    alone = wanted.model_copy(update={"addresses": {A: OURS[0]}})
    view = View(instances={MIRROR: Instance("scsi", "netraid", MIRROR, "/dev/sdb", "0\x0210.9.9.9", "ISP")})
    assert mirror.KIT.by_hand["replication_address"](alone, view) is None


@pytest.mark.parametrize(
    ("key", "info", "found", "declared", "setting"),
    [
        ("bitmap", "0\x02/srv/bitmap", "/srv/bitmap", CUSTOMARY, "lifekeeper.replication.bitmap"),
        ("replication_address", "0\x0210.9.9.9", "10.9.9.9", " or ".join(OURS), "replication_address"),
    ],
)
def test_what_needs_a_new_mirror_is_refused_with_what_to_do_and_nothing_is_written(
    key: str, info: str, found: str, declared: str, setting: str
) -> None:
    pair, listed = made()
    thing = listed["tree-mirror"]
    pair.lcds[B].instances[MIRROR][3] = info
    assert differences(pair, thing) == [f'nodes.{B}.properties.{key}: wanted nothing, found "{found}"']
    pair.said.clear()
    with pytest.raises(Refused) as refused:
        up(pair, [thing])
    assert pair.said == []
    assert refused.value.node == B
    assert refused.value.message.startswith(f"{MIRROR} has {key} {found}, and {declared} is declared")
    assert f"`{setting}`" in refused.value.remedy
    assert "pulumi destroy --target" in refused.value.remedy
