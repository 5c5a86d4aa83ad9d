"""Squid as a Generic Application: declared, made, found again, adopted; and never beside another resource for it."""

import asyncio
import base64
import shlex
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from blueprint.render import lifekeeper_squid
from blueprint.site import things
from declaration.cautions import cautions_of
from declaration.load import read
from operations.adopt.describe import describe
from operations.adopt.engines import lifekeeper_scripts
from operations.adopt.model import Draft
from operations.drill.scenarios import squid_hung
from operations.drill.steps import View
from providers.connection.command import Result
from providers.connection.errors import Refused, Unknown
from providers.lifekeeper import generic, hierarchy, views
from providers.lifekeeper.views import Instance
from providers.lifekeeper.views import View as Lists
from providers.squid import agent
from tests.unit.declaration.conftest import put, refused
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import settings, site
from tests.unit.lifekeeper.test_providers import differences, down, fresh, members, up
from tests.unit.operations.adopt.test_lifekeeper import SSH, facts

GENERIC: dict[str, Any] = {"squid_kit": "generic"}
SCRIPT = "#!/bin/sh\nexit 0\n"
OWN = {"restore": SCRIPT, "remove": SCRIPT}


@pytest.fixture
def kits(monkeypatch) -> None:
    """What the kit copied is what it was given: the pair in memory has no files."""

    async def same(_cluster, wanted):
        return dict.fromkeys(wanted.copies, "same")

    async def nothing(*_given):
        """The scripts' files are there."""

    async def as_wanted(_node, wanted):
        return wanted

    monkeypatch.setattr(generic, "_compared", same)
    monkeypatch.setattr(generic, "converge_settings", nothing)
    monkeypatch.setattr(generic, "remove_settings", nothing)
    monkeypatch.setattr(generic, "read_settings", as_wanted)


# What may be said


@pytest.mark.parametrize(
    ("path", "value", "section", "sentence"),
    [
        ("lifekeeper.squid_kit", "gen", {}, "`qsp` or `generic`"),
        ("lifekeeper.squid_scripts", OWN, {}, "no scripts without `squid_kit: generic`"),
        ("lifekeeper.tags.squid", "proxy", GENERIC, "a tag with the word `squid`"),
        ("lifekeeper.tags.squid", "proxy/squid", GENERIC, "without `/`"),
        ("lifekeeper.generic", [{"tag": "squid-exporter", **OWN}], GENERIC, "a tag without the word `squid`"),
        ("log", {"on_full": "drop", "on_lost": "degrade"}, GENERIC, "`fail` with `engine: lifekeeper`"),
        ("log", {"on_full": "drop", "on_lost": "fail"}, {**GENERIC, "squid_scripts": OWN}, "looks at no log"),
        ("timeouts.squid", {"monitor_interval": "5s"}, GENERIC, "only `monitor` and `start` and `stop`"),
        ("timeouts.squid", {"start": "90s"}, {**GENERIC, "squid_scripts": OWN}, "only `stop`"),
    ],
)
def test_what_does_not_go_with_the_kit_is_refused_where_it_is(path, value, section, sentence):
    raw = settings(**section)
    put(raw, path, value)
    assert any(sentence in str(each) for each in refused(raw)), refused(raw)


def test_what_its_agent_keeps_may_be_said():
    raw = settings(**GENERIC)
    raw["timeouts"] = {"squid": {"start": "90s", "stop": "75s", "monitor": "25s"}}
    raw["log"] = {"on_full": "drop", "on_lost": "fail"}
    declared = read(raw, "test")
    assert not any(each.path == "log.on_full" for each in cautions_of(declared))
    inputs: Any = next(each for each in things(declared, "o/s") if each.name == "tree-squid").inputs
    texts = inputs.settings["proxy-a"].files
    assert "CRM_meta_timeout=90000" in texts["/etc/squid-ha/lifekeeper/app-squid/restore"].content
    assert "CRM_meta_timeout=75000" in texts["/etc/squid-ha/lifekeeper/app-squid/remove"].content
    check = texts["/etc/squid-ha/lifekeeper/app-squid/quickCheck"].content
    assert "probe_timeout=15" in check
    assert "record_log=/mnt/mirror/squid/access.log" in check
    assert "record_lost=fail" in check


def test_lost_records_that_nobody_looks_for_are_no_secret():
    raw = settings(**GENERIC)
    raw["log"] = {"on_full": "drop"}
    declared = read(raw, "test")
    assert any(each.path == "log.on_full" for each in cautions_of(declared))
    squid = next(each for each in things(declared, "o/s") if each.name == "tree-squid")
    assert "record_log" not in str(squid.inputs)


# What the scripts are


def test_the_scripts_are_shell_and_tell_the_agent_only_what_it_knows():
    texts = lifekeeper_squid.scripts(
        "/usr/lib/ocf/resource.d/squid-ha/squid", {"probe_url": "http://a b/"}, start=60, stop=61, monitor=30
    )
    assert set(texts) == {"restore", "remove", "quickCheck", "recover"}
    known = agent.text()
    for name, text in texts.items():
        subprocess.run(["sh", "-n", "-c", text], check=True)
        words = shlex.split(text.splitlines()[-1])
        assert words[:2] == ["exec", "env"]
        assert "OCF_RESKEY_probe_url=http://a b/" in words, name
        for word in words[2:]:
            if word.startswith("OCF_RESKEY_"):
                assert f"{{{word.partition('=')[0]}:-" in known, word
    assert [texts[name].split()[-1] for name in texts] == ["start", "stop", "monitor", "start"]
    assert texts["recover"].count(" stop || exit") == 1


def test_the_site_has_the_agent_and_the_drill_lets_squid_hang():
    made = {each.name: each for each in things(site(**GENERIC), "o/s")}
    assert made["tree-squid"].kind == "lifekeeper.application"
    assert "squid-agent" in made["tree-squid"].after
    assert squid_hung.lacks(View(site(**GENERIC), "proxy-a", "proxy-b")) == ""
    others = {each.name for each in things(site(**GENERIC, squid_scripts=OWN), "o/s")}
    assert "squid-agent" not in others
    assert squid_hung.lacks(View(site(), "proxy-a", "proxy-b")) != ""


# What becomes of it on the nodes


@pytest.mark.parametrize("phase", [2, 3])
def test_it_is_made_reads_back_is_left_alone_and_taken_back(kits, phase):
    pair, listed = fresh(), members(phase, **GENERIC)
    for lcd in pair.lcds.values():
        lcd.units["squid.service"] = "active"
    up(pair, listed)
    assert [differences(pair, thing) for thing in listed] == [[] for _ in listed]
    assert pair.lcds["proxy-a"].instances["app-squid"][:2] == ["gen", "app"]
    assert ("ip-192.0.2.10", "app-squid") in pair.lcds["proxy-b"].ties
    assert pair.lcds["proxy-b"].units["squid.service"] == "inactive", "two would start it on the standby node"
    lines = len(pair.said)
    up(pair, listed)
    assert len(pair.said) == lines
    down(pair, listed)
    assert all(lcd.instances == {} for lcd in pair.lcds.values())


def test_it_is_made_where_squid_runs(kits):
    pair = fresh()
    pair.lcds["proxy-b"].units["squid.service"] = "active"
    up(pair, members(2, **GENERIC))
    assert pair.lcds["proxy-b"].instances["app-squid"][4] == "ISP"


@pytest.mark.parametrize(("first", "then"), [({}, GENERIC), (GENERIC, {})])
def test_no_second_resource_is_made_for_squid(kits, first, then):
    pair = fresh()
    up(pair, members(2, **first))
    before = {name: dict(lcd.instances) for name, lcd in pair.lcds.items()}
    with pytest.raises(Refused, match="looks after Squid already") as told:
        up(pair, members(2, **then))
    assert "squid_kit" in told.value.remedy
    assert {name: dict(lcd.instances) for name, lcd in pair.lcds.items()} == before


def test_a_squid_that_systemd_starts_is_not_taken(kits, monkeypatch):
    pair, enabled = fresh(), Pair.systemctl

    def systemctl(lcd, words, say):
        answer = enabled(lcd, words, say)
        return replace(answer, stdout=answer.stdout.replace("=disabled", "=enabled")) if words[0] == "show" else answer

    monkeypatch.setattr(pair, "systemctl", systemctl)
    with pytest.raises(Refused, match="started at boot by systemd") as told:
        up(pair, members(2, **GENERIC))
    assert told.value.remedy == "`systemctl disable squid.service`"


# How it is found again


def lists(*instances: Instance) -> dict[str, Lists]:
    pair = fresh()
    up(pair, members(2))
    view = asyncio.run(hierarchy_view(pair))
    return {"proxy-a": replace(view, instances={each.tag: each for each in instances}, dependencies=set())}


async def hierarchy_view(pair: Pair) -> Lists:
    return (await views.read(pair.cluster(), ["proxy-a"]))["proxy-a"]


def resource(sort: str, tag: str) -> Instance:
    return Instance("gen", sort, tag, tag, "", "ISP")


def test_an_application_counts_only_where_no_service_is_protected():
    assert hierarchy.squid(lists(resource("app", "app-squid"), resource("app", "other"))) == "app-squid"
    both = lists(resource("app", "squid-exporter"), resource("qsp", "qsp-squid"))
    assert hierarchy.squid(both) == "qsp-squid"
    with pytest.raises(Unknown, match="squid-a, squid-b"):
        hierarchy.squid(lists(resource("app", "squid-a"), resource("app", "squid-b")))
    with pytest.raises(Unknown, match="no resource for Squid"):
        hierarchy.squid(lists(resource("app", "other")))


# A pair that was built by hand


def copies(**texts: str) -> str:
    places = {"restore": "actions/!restore", "remove": "actions/!remove", "quickCheck": "actions/!quickCheck"}
    rows = ((places[name], base64.b64encode(text.encode()).decode()) for name, text in texts.items())
    return "".join(f"{place} app-squid {text}\n{place} other {text}\n" for place, text in rows)


def adopted(*said: str) -> tuple[Any, Draft]:
    declared, pair = site(2, **GENERIC), fresh()
    up(pair, members(2, **GENERIC))
    found = [
        replace(
            each, answers={**each.answers, lifekeeper_scripts.ANSWER: Result(lifekeeper_scripts.COMMAND, 0, told, "")}
        )
        for each, told in zip(facts(pair, declared), said, strict=True)
    ]
    return declared, describe(found, SSH)


def test_scripts_that_somebody_wrote_go_into_the_file(kits):
    told = copies(restore="#!/bin/sh\nsystemctl start squid\n", remove=SCRIPT, quickCheck=SCRIPT)
    _, draft = adopted(told, told)
    section: Any = read(draft.site, "adopted").lifekeeper
    assert section.squid_kit == "generic"
    assert section.squid_scripts.restore == "#!/bin/sh\nsystemctl start squid\n"
    assert section.squid_scripts.recover is None
    assert section.tags.squid is None
    assert any("stand in the file" in note.what for note in draft.notes)


def test_this_programs_own_scripts_are_known_again(kits):
    own = lifekeeper_squid.scripts("/a", {}, start=1, stop=1, monitor=1)
    told = copies(**{name: text for name, text in own.items() if name != "recover"})
    declared, draft = adopted(told, told)
    assert read(draft.site, "adopted").lifekeeper == declared.lifekeeper


@pytest.mark.parametrize(
    ("here", "there", "sentence"),
    [
        (copies(restore="\x7fELF", remove=SCRIPT), copies(restore="\x7fELF", remove=SCRIPT), "squid_scripts` takes"),
        (
            copies(restore=SCRIPT, remove=SCRIPT),
            copies(restore=SCRIPT, remove="#!/bin/sh\n:\n"),
            "others than on proxy-a",
        ),
        ("", "", "squid_scripts` takes"),
    ],
)
def test_scripts_that_the_file_cannot_say_are_told(kits, here, there, sentence):
    _, draft = adopted(here, there)
    told = [note for note in draft.notes if sentence in note.what]
    assert told
    assert all("`up` refuses" in note.what for note in told)


def test_the_scripts_are_read_by_a_shell(tmp_path):
    for place in ("actions/!restore", "recovery/!recover"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "app-squid").write_text(SCRIPT)
    argv = [word if word != generic.COPIES else str(tmp_path) for word in lifekeeper_scripts.COMMAND.argv]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = lifekeeper_scripts._scripts(said, "app-squid")
    assert found == {"restore": SCRIPT, "recover": SCRIPT}
