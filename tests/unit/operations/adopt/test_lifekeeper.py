"""A hierarchy of LifeKeeper, read back from its own lists: the declaration says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from declaration.load import read
from operations.adopt.describe import describe
from operations.adopt.engines import lifekeeper
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Result
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_providers import fresh, members, up
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


def test_what_has_no_words_is_told_with_its_place() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.instances["other-ip"] = ["comm", "ip", "IP-192.0.2.99", "", "ISP", "intelligent"]
        lcd.priorities["other-ip"] = 1
        lcd.defaults = "QUORUM_MODE=majority\n"
    draft = describe(facts(pair, declared), SSH)
    told = {note.place: note.what for note in draft.notes}
    assert "left alone" in told["resource other-ip (comm/ip)"]
    assert "QUORUM_MODE=majority" in told["/etc/default/LifeKeeper"]
    assert "asynchronous" in told["resource datarep-mirror"]


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
    assert "no words" in told["resource /a-local-disk (gen/filesys)"]


def test_a_list_that_failed_is_no_empty_list() -> None:
    pair, declared = fresh(), site()
    up(pair, members())
    first, second = facts(pair, declared)
    name, asked = next((name, asked) for name, asked in lifekeeper.COMMANDS.items() if "dep_list" in asked.shell())
    first = replace(first, answers={**first.answers, name: Result(asked, 9, "", "")})
    with pytest.raises(ValueError, match=rf"{first.name}.*dep_list"):
        describe([first, second], SSH)
