"""A hierarchy of LifeKeeper, read back from its own lists: the declaration says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from declaration.cautions import cautions_of
from declaration.load import read
from operations.adopt.describe import describe
from operations.adopt.engines import lifekeeper
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Result
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import settings, site
from tests.unit.lifekeeper.test_providers import differences, fresh, members, up
from tests.unit.operations.adopt.test_round_trip import facts_of

SSH = {"user": "root"}


def facts(pair: Pair, declared: Any) -> list[NodeFacts]:
    """Both nodes, with the lists of that pair."""
    found: list[NodeFacts] = []
    for name in pair.names:
        answers = {key: pair.run(name, asked) for key, asked in lifekeeper.COMMANDS.items()}
        answers["mounts"] = mounts("/ ext4\n/mnt/mirror ext3\n")
        there = facts_of(declared, name)
        files = {**there.files, "/etc/default/LifeKeeper": pair.lcds[name].defaults}
        active = frozenset({"squid.service", "lifekeeper.service", "chrony.service"})
        found.append(replace(there, answers=answers, files=files, active=active))
    return found


def mounts(said: str) -> Result:
    """What findmnt says."""
    return Result(lifekeeper.COMMANDS["mounts"], 0, said, "")


def adopted(phase: int = 3, **section: Any) -> tuple[Any, Draft, Any]:
    """The site, and what is read back of a pair that has it."""
    declared, pair = site(phase, **section), fresh()
    up(pair, members(phase, **section))
    draft = describe(facts(pair, declared), SSH)
    return declared, draft, read(draft.site, "adopted")


SECTIONS: list[dict[str, Any]] = [
    {},
    {"priorities": [20, 5]},
    {"paths": [{"network": "public", "priority": 7}, {"network": "replication", "priority": 9}]},
    {"tags": {"squid": "squid-proxy", "address": "the-ip", "filesystem": "/data", "mirror": "dk1"}},
    {"check_interval": "60s", "heartbeat": {"interval": "2s", "misses": 8}},
    {"address": {"broadcast_ping": False, "link_check": True}},
    {"address": {"ping_tries": 5, "ping_time": "2s", "check_timeout": "20s"}},
    {"failover_confirmation": {"unanswered": "block", "wait": "0s"}},
    {"replication": {"speed_limit": 400000, "speed_limit_min": 30000}},
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: ", ".join(section) or "customary")
def test_what_stands_is_declared(section: dict[str, Any]) -> None:
    declared, _, back = adopted(**section)
    assert back.engine == "lifekeeper"
    assert back.virtual_ip == declared.virtual_ip
    assert back.nodes == declared.nodes
    assert back.lifekeeper == declared.lifekeeper
    for name in ("device", "mount_point", "filesystem"):
        assert getattr(back.mirror, name) == getattr(declared.mirror, name)


def test_a_pair_without_a_mirror_goes_back_to_the_preferred_node_as_found() -> None:
    declared, _, back = adopted(2, switchback="automatic")
    assert back.mirror is None
    assert back.lifekeeper == declared.lifekeeper


def test_a_pair_whose_squid_drops_records_is_taken_over_with_a_warning() -> None:
    raw = settings() | {"log": {"on_full": "drop"}}
    pair = fresh()
    up(pair, members())
    back = read(describe(facts(pair, read(raw, "test")), SSH).site, "adopted")
    assert back.log.on_full == "drop"
    assert "log.on_full" in [each.path for each in cautions_of(back)]


def test_a_backup_interface_of_the_address_is_taken_into_the_file_and_is_no_drift_then() -> None:
    pair, declared = fresh(), site(address={"link_check": True})
    up(pair, members(address={"link_check": True}))
    for lcd in pair.lcds.values():
        lcd.instances["ip-192.0.2.10"][3] = lcd.instances["ip-192.0.2.10"][3].replace("none", "bond1")
    back = read(describe(facts(pair, declared), SSH).site, "adopted")
    assert back.lifekeeper is not None
    assert back.lifekeeper.address.backup_interface == "bond1"
    assert back.lifekeeper.address.link_check is True
    for section, found in (({"backup_interface": "bond1"}, []), ({}, ['wanted nothing, found "bond1"'])):
        address = members(address=section)[-1]
        told = differences(pair, address)
        assert len(told) == 2 * len(found)
        assert all(each.endswith(found[0]) for each in told)


def test_what_has_no_words_is_told_with_its_place() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["other-ip"] = ["comm", "ip", "IP-192.0.2.99", "", "ISP", "intelligent"]
        lcd.priorities["other-ip"] = 1
        lcd.defaults = "QUORUM_MODE=majority\n"
    draft = describe(facts(pair, declared), SSH)
    told = {note.place: note.what for note in draft.notes}
    assert "left alone" in told["resource other-ip (comm/ip, IP-192.0.2.99)"]
    assert "QUORUM_MODE=majority" in told["/etc/default/LifeKeeper"]
    assert "asynchronous" in told["resource datarep-mirror"]


def test_a_mirror_whose_halves_have_different_paths_is_declared_with_both() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    pair.lcds["proxy-b"].instances["datarep-mirror"][2] = "/dev/disk/by-id/of-b"
    draft = describe(facts(pair, declared), SSH)
    back = read(draft.site, "adopted")
    assert back.mirror is not None
    assert declared.mirror is not None
    paths = [back.mirror.device_on(node) for node in back.nodes]
    assert paths == [declared.mirror.device, "/dev/disk/by-id/of-b"]
    assert back.nodes[0].mirror_device is None


def with_info(*infos: str) -> tuple[Any, Draft]:
    """A pair whose halves of the mirror have these infos, and what is read back of it."""
    pair = fresh()
    up(pair, members())
    for lcd, info in zip(pair.lcds.values(), infos, strict=True):
        lcd.instances["datarep-mirror"][3] = info
    return pair, describe(facts(pair, site()), SSH)


def note_of(draft: Draft) -> str:
    return next(note.what for note in draft.notes if note.place == "resource datarep-mirror")


def test_a_bitmap_of_its_own_is_taken_into_the_file_and_is_no_drift_then() -> None:
    pair, draft = with_info("0\x02172.16.77.12\x02/srv/bitmap\x02256K", "0\x02172.16.77.11\x02/srv/bitmap\x02256K")
    back = read(draft.site, "adopted")
    assert back.lifekeeper is not None
    assert back.lifekeeper.replication.bitmap == "/srv/bitmap"
    assert "bitmap" not in note_of(draft)
    things = {each.name: each for each in members(replication={"bitmap": "/srv/bitmap"})}
    assert differences(pair, things["tree-mirror"]) == []


@pytest.mark.parametrize(
    ("infos", "seen"),
    [
        (("0\x02/opt/LifeKeeper/bitmap__mnt_mirror",) * 2, True),
        (("0\x02/srv/bitmap", "0\x02/mnt2/bitmap"), True),
        (("0\x02/srv/bitmap", ""), False),
        (("", ""), False),
    ],
)
def test_a_bitmap_that_is_customary_or_not_the_same_on_both_nodes_is_not_in_the_file(
    infos: tuple[str, str], seen: bool
) -> None:
    _, draft = with_info(*infos)
    assert "replication" not in draft.site["lifekeeper"]
    assert ("bitmap" in note_of(draft)) is not seen
    assert "asynchronous" in note_of(draft)


@pytest.mark.parametrize(("info", "expected"), [("0\x0210.0.0.9\x02256K", "10.0.0.1"), ("", "172.16.77.11")])
def test_of_several_private_paths_the_one_that_the_mirror_replicates_over_is_the_replication_network(
    info: str, expected: str
) -> None:
    pair = fresh()
    up(pair, members())
    first, second = pair.lcds.values()
    first.paths["proxy-b", "10.0.0.1/10.0.0.9"] = 5
    second.paths["proxy-a", "10.0.0.9/10.0.0.1"] = 5
    first.instances["datarep-mirror"][3] = info
    draft = describe(facts(pair, site()), SSH)
    assert draft.site["nodes"][0]["replication_address"] == expected
    left = {"10.0.0.1": "172.16.77.11/172.16.77.12", "172.16.77.11": "10.0.0.1/10.0.0.9"}[expected]
    assert any(note.place == f"path {left} to proxy-b" for note in draft.notes)


def test_a_lifekeeper_without_a_squid_is_refused_with_the_reason() -> None:
    pair, declared = fresh(), site()
    up(pair, [each for each in members() if each.name in ("lifekeeper", "paths")])
    with pytest.raises(ValueError, match="Quick Service Protection"):
        describe(facts(pair, declared), SSH)


def test_the_type_is_that_of_the_node_where_it_is_mounted_and_other_paths_are_told() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    first, second = facts(pair, declared)
    first = replace(first, answers={**first.answers, "mounts": mounts("/ ext4\n")})
    second = replace(second, answers={**second.answers, "mounts": mounts("/mnt/mirror xfs\n")})
    pair.lcds[first.name].paths["elsewhere", "10.0.0.1/10.0.0.9"] = 5
    lists = {key: pair.run(first.name, asked) for key, asked in lifekeeper.COMMANDS.items() if key != "mounts"}
    draft = describe([replace(first, answers={**first.answers, **lists}), second], SSH)
    assert draft.site["mirror"]["filesystem"] == "xfs"
    assert any("10.0.0.1/10.0.0.9" in note.place for note in draft.notes)
    assert [each.get("replication_address") for each in draft.site["nodes"]] == [
        str(each.replication_address) for each in declared.nodes
    ]


def test_the_mirror_is_the_one_that_a_filesystem_of_the_service_lies_on() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["/a-local-disk"] = ["gen", "filesys", "/a-local-disk", "", "ISP", "intelligent"]
        lcd.priorities["/a-local-disk"] = 1
        lcd.ties.insert(0, ("qsp-squid", "/a-local-disk"))
    draft = describe(facts(pair, declared), SSH)
    assert draft.site["mirror"]["mount_point"] == "/mnt/mirror"
    told = {note.place: note.what for note in draft.notes}
    assert "no words" in told["resource /a-local-disk (gen/filesys, /a-local-disk)"]


def with_a_second_mirror(*ties: tuple[str, str]) -> Pair:
    """Beside this site's an application's filesystem on a mirror of its own, which comes first by name."""
    pair = fresh()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["app1"] = ["gen", "app", "app1", "", "ISP", "intelligent"]
        lcd.instances["/a-data"] = ["gen", "filesys", "/a-data", "ext4", "ISP", "intelligent"]
        lcd.instances["datarep-a"] = ["scsi", "netraid", "/dev/sdz", "0\x0210.0.0.9\x02256K", "ISP", "intelligent"]
        lcd.priorities |= dict.fromkeys(("app1", "/a-data", "datarep-a"), 1)
        lcd.ties += [("app1", "/a-data"), ("/a-data", "datarep-a"), *ties]
    first, second = pair.lcds.values()
    first.paths["proxy-b", "10.0.0.1/10.0.0.9"] = 5
    second.paths["proxy-a", "10.0.0.9/10.0.0.1"] = 5
    return pair


def test_of_two_mirrors_in_squids_hierarchy_the_one_below_its_own_filesystem_is_this_sites() -> None:
    declared = site()
    draft = describe(facts(with_a_second_mirror(("ip-192.0.2.10", "app1")), declared), SSH)
    assert declared.mirror is not None
    assert draft.site["mirror"]["mount_point"] == "/mnt/mirror"
    assert draft.site["mirror"]["device"] == declared.mirror.device
    assert "mirror" not in draft.site["lifekeeper"].get("tags", {})
    assert draft.site["nodes"][0]["replication_address"] == "172.16.77.11", "not the other mirror's"
    told = {note.place: note.what for note in draft.notes}
    assert "no words" in told["resource datarep-a (scsi/netraid, /dev/sdz)"]


def test_two_mirrors_that_squid_needs_itself_are_refused_by_name() -> None:
    pair = with_a_second_mirror(("qsp-squid", "/a-data"))
    with pytest.raises(ValueError, match=r"/a-data on datarep-a and /mnt/mirror on datarep-mirror") as refused:
        describe(facts(pair, site()), SSH)
    assert "have qsp-squid depend on just one of them" in str(refused.value)


def test_a_list_that_failed_is_no_empty_list() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    first, second = facts(pair, declared)
    name, asked = next((name, asked) for name, asked in lifekeeper.COMMANDS.items() if "dep_list" in asked.shell())
    first = replace(first, answers={**first.answers, name: Result(asked, 9, "", "")})
    with pytest.raises(ValueError, match=rf"{first.name}.*dep_list"):
        describe([first, second], SSH)


# What the file has no words for


def odd(pair: Pair) -> None:
    """Everything at once that somebody may have and the file cannot say."""
    first, second = pair.lcds.values()
    for lcd, state in ((first, "ISP"), (second, "OSU")):
        lcd.instances["replication-ip"] = ["comm", "ip", "IP-10.0.0.10", "", state, "intelligent"]
        lcd.instances["office-ip"] = ["comm", "ip", "IP-192.0.2.77", "", state, "intelligent"]
        lcd.instances["a-cache"] = ["gen", "qsp", "QSP-memcached", "memcached", state, "intelligent"]
        lcd.instances["firewall"] = ["gen", "app", "firewall", "", state, "intelligent"]
        lcd.instances["database"] = ["database", "pgsql", "pg", "", state, "intelligent"]
        lcd.priorities |= dict.fromkeys(("replication-ip", "office-ip", "a-cache", "firewall", "database"), 1)
        lcd.ties += [("qsp-squid", "replication-ip"), ("office-ip", "qsp-squid"), ("qsp-squid", "a-cache")]
        lcd.ties.append(("qsp-squid", "firewall"))
    second.priorities |= dict.fromkeys(("replication-ip", "office-ip", "a-cache", "firewall", "database"), 10)
    second.paths[first_name(pair), "192.0.2.22/192.0.2.21"] = 42
    first.defaults += "REMOTETIMEOUT=90\nLKCHECKINTERVAL=0\nLKDR_ASYNC_LIMIT=4096\nLKROOT=/opt/LifeKeeper\n"
    first.defaults += "CONFIRMSODEF=2\nIP_PINGTRIES=007\nLKDR_SPEED_LIMIT=10\nLKDR_SPEED_LIMIT_MIN=90\n"
    second.defaults += "LCMHBEATTIME=9\nQUORUM_MODE=majority\n"
    first.flags.append("shutdown_switchover")
    first.instances["left-behind"] = ["comm", "ip", "IP-10.0.0.11", "", "ISP", "intelligent"]
    first.priorities["left-behind"] = 1
    first.ties.append(("qsp-squid", "left-behind"))


def first_name(pair: Pair) -> str:
    return pair.names[0]


@pytest.fixture(scope="module")
def oddly() -> tuple[Any, Draft]:
    declared, pair = site(), fresh()
    up(pair, members())
    odd(pair)
    return declared, describe(facts(pair, declared), SSH)


def test_the_virtual_ip_is_above_squid_and_squid_is_the_one_of_that_name(oddly: tuple[Any, Draft]) -> None:
    declared, draft = oddly
    assert draft.site["virtual_ip"] == str(declared.virtual_ip)
    assert "tags" not in draft.site["lifekeeper"], "the customary ones"


@pytest.mark.parametrize(
    ("node", "place", "what"),
    [
        (0, "resource replication-ip (comm/ip, IP-10.0.0.10)", "no words for it: it moves along"),
        (1, "resource office-ip (comm/ip, IP-192.0.2.77)", "no words"),
        (0, "resource a-cache (gen/qsp, QSP-memcached)", "no words"),
        (1, "resource firewall (gen/app, firewall)", "/opt/LifeKeeper/subsys/gen/resources/app"),
        (1, "resource database (database/pgsql, pg)", "left alone"),
        (0, "resource left-behind", "on this node only, so it does not move"),
        (1, "path 192.0.2.22/192.0.2.21", "priority 42"),
        (0, "/etc/default/LifeKeeper", "CONFIRMSODEF=2, IP_PINGTRIES=007, LKCHECKINTERVAL=0, LKDR_SPEED_LIMIT_MIN=90"),
        (0, "/etc/default/LifeKeeper", "REMOTETIMEOUT=90"),
        (1, "/etc/default/LifeKeeper", "LCMHBEATTIME=9"),
        (1, "/etc/default/LifeKeeper", "QUORUM_MODE=majority"),
        (0, "flags", "shutdown_switchover"),
    ],
)
def test_what_the_file_cannot_say_is_told_of_its_node(
    oddly: tuple[Any, Draft], node: int, place: str, what: str
) -> None:
    name = ("proxy-a", "proxy-b")[node]
    told = [note.what for note in oddly[1].notes if note.node == name and note.place.startswith(place)]
    assert any(what in each for each in told), oddly[1].notes


@pytest.mark.parametrize(
    ("packages", "settings", "told"),
    [
        ("steeleye-lk\nsteeleye-lkQWK\n", "", True),
        ("steeleye-lk\nsteeleye-lkQWK\n", "QUORUM_MODE=\n", True),
        ("steeleye-lk\nsteeleye-lkQWK\n", "QUORUM_MODE=storage\n", False),
        ("steeleye-lk\n", "", False),
        ("", "", False),
    ],
)
def test_a_package_for_the_quorum_whose_mode_nobody_sets_is_told_of_its_node(
    packages: str, settings: str, told: bool
) -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    pair.lcds["proxy-b"].defaults += settings
    first, second = facts(pair, declared)
    said = Result(lifekeeper.COMMANDS["lifekeeper packages"], 0, packages, "")
    second = replace(second, answers={**second.answers, "lifekeeper packages": said})
    notes = [note for note in describe([first, second], SSH).notes if "steeleye-lkQWK" in note.what]
    assert [note.node for note in notes] == ["proxy-b"] * told
    assert all("`majority`" in each.what and "`lifekeeper.quorum`" in each.what for each in notes)


def test_every_note_says_what_the_next_up_does_about_it_and_what_is_customary_is_no_note(
    oddly: tuple[Any, Draft],
) -> None:
    notes = [note for note in oddly[1].notes if "squid.conf" not in note.place]
    assert [note for note in notes if "`up`" not in note.what] == []
    assert not any("LKDR_ASYNC_LIMIT" in note.what or "LKROOT" in note.what for note in notes)


def test_the_address_is_the_one_that_the_clients_network_has_where_two_stand_above_squid() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["a-second-ip"] = ["comm", "ip", "IP-10.9.9.9", "", "ISP", "intelligent"]
        lcd.priorities["a-second-ip"] = 1
        lcd.ties.append(("a-second-ip", "qsp-squid"))
    draft = describe(facts(pair, declared), SSH)
    assert draft.site["virtual_ip"] == str(declared.virtual_ip)
    assert any("a-second-ip" in note.place for note in draft.notes)


def test_of_two_addresses_that_may_both_be_the_clients_it_is_told_how_to_say_the_other_one() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["zz-second"] = ["comm", "ip", "IP-192.0.2.77", "", "ISP", "intelligent"]
        lcd.priorities["zz-second"] = 1
        lcd.ties.append(("zz-second", "qsp-squid"))
    draft = describe(facts(pair, declared), SSH)
    assert draft.site["virtual_ip"] == "192.0.2.10"
    told = [note for note in draft.notes if "zz-second" in note.place]
    assert [note.node for note in told] == list(pair.names)
    assert all("ip-192.0.2.10" in note.what and "`lifekeeper.tags.address`" in note.what for note in told)
