"""Squid as a Generic Application: declared, made, found again, adopted; and never beside another resource for it."""

import asyncio
import base64
import copy
import shlex
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from blueprint.render import lifekeeper_squid
from blueprint.site import things
from declaration.cautions import cautions_of
from declaration.load import read
from declaration.rules import lifekeeper as rules
from operations.adopt import compare
from operations.adopt.describe import describe
from operations.adopt.engines import lifekeeper_scripts
from operations.adopt.model import Draft
from operations.drill.scenarios import squid_hung
from operations.drill.steps import View
from providers.connection.command import Result
from providers.connection.errors import Refused, Unknown
from providers.contract import Absent, Present
from providers.host.settings import NodeSettings
from providers.kinds import load_kind
from providers.lifekeeper import hierarchy, scripts, service, unit, views
from providers.lifekeeper.members import MADE
from providers.lifekeeper.views import Instance
from providers.lifekeeper.views import View as Lists
from providers.squid import agent
from tests.unit.declaration.conftest import put, refused
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import settings, site
from tests.unit.lifekeeper.test_providers import cut_off, differences, down, fresh, members, up
from tests.unit.operations.adopt.test_lifekeeper import SSH, facts

GENERIC: dict[str, Any] = {"squid_kit": "generic"}
SCRIPT = "#!/bin/sh\nexit 0\n"
OWN = {"restore": SCRIPT, "remove": SCRIPT}


@pytest.fixture
def kits(monkeypatch) -> None:
    """What the kit copied is what it was given: the pair in memory has no files."""

    async def same(_cluster, _tag, wanted):
        return dict.fromkeys(wanted.copies, "same")

    async def nothing(*_given):
        """The scripts' files are there."""

    async def as_wanted(_node, wanted):
        return wanted

    monkeypatch.setattr(scripts, "_compared", same)
    monkeypatch.setattr(scripts, "converge_settings", nothing)
    monkeypatch.setattr(scripts, "remove_settings", nothing)
    monkeypatch.setattr(scripts, "read_settings", as_wanted)


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
        assert words[:3] == ["exec", "timeout", "--kill-after=5"]
        assert "OCF_RESKEY_probe_url=http://a b/" in words, name
        for word in words[2:]:
            if word.startswith("OCF_RESKEY_"):
                assert f"{{{word.partition('=')[0]}:-" in known, word
    assert [texts[name].split()[-1] for name in texts] == ["start", "stop", "monitor", "monitor"]
    assert texts["recover"].count(" stop || exit") == texts["recover"].count(" start || exit") == 1


def test_the_site_has_the_agent_and_the_drill_lets_squid_hang():
    made = {each.name: each for each in things(site(**GENERIC), "o/s")}
    squid = made["tree-squid"].inputs
    assert isinstance(squid, service.Wanted)
    assert squid.application is not None
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
def test_no_second_resource_is_made_for_squid_and_nothing_is_written_of_it(kits, first, then):
    pair = fresh()
    up(pair, members(2, **first))
    before, known, said = copy.deepcopy(pair.tables()), copy.deepcopy(vars(pair.journals)), len(pair.said)
    with pytest.raises(Refused, match="looks after Squid already") as told:
        up(pair, members(2, **then))
    assert "squid_kit" in told.value.remedy
    assert (pair.tables(), vars(pair.journals), len(pair.said)) == (before, known, said)


@pytest.mark.parametrize(("first", "then"), [({}, GENERIC), (GENERIC, {})])
def test_another_kit_is_refused_at_the_preview(first, then):
    before, after = (members(2, **section)[-2].inputs for section in (first, then))
    assert "`lifekeeper.squid_kit` of" in (service.refusal(before, after) or "")
    assert service.refusal(before, before) is None


def test_a_squid_that_systemd_starts_is_not_taken(kits, monkeypatch):
    pair, enabled = fresh(), Pair.systemctl

    def systemctl(lcd, words, say):
        answer = enabled(lcd, words, say)
        return replace(answer, stdout=answer.stdout.replace("=disabled", "=enabled")) if words[0] == "show" else answer

    monkeypatch.setattr(pair, "systemctl", systemctl)
    with pytest.raises(Refused, match="started at boot by systemd") as told:
        up(pair, members(2, **GENERIC))
    assert told.value.remedy == "`systemctl disable squid.service`"


def test_a_kit_that_was_tried_in_vain_makes_nobodys_resource_this_sites(kits, monkeypatch):
    """Declared as Quick Service Protection, refused by the product, adopted as what it is: scripts of somebody's."""
    pair = fresh()
    up(pair, members(2, tags={"squid": "their-squid"}, **GENERIC))
    for name in pair.names:
        asyncio.run(pair.cluster("tree-squid").journal(name).forget())
    monkeypatch.setattr(unit, "refuse_second", lambda *_: None)
    qsp = [each for each in members(2) if each.name == "tree-squid"]
    cut_off(pair, qsp, "systemctl start squid.service")
    listed = members(2, tags={"squid": "their-squid"}, **GENERIC)
    squid = [each for each in listed if each.name == "tree-squid"]
    up(pair, squid)
    asyncio.run(load_kind("lifekeeper.service").converge(pair.cluster("tree-squid"), squid[0].inputs, Absent()))
    assert asyncio.run(pair.cluster("tree-squid").journal("proxy-a").entries())[MADE] == "no"
    down(pair, squid)
    assert all("their-squid" in lcd.instances for lcd in pair.lcds.values())


def test_scripts_of_somebodys_are_refused_before_anything_is_written(kits, monkeypatch):
    pair, listed = fresh(), members(2, **GENERIC)
    up(pair, listed)
    squid = [each for each in listed if each.name == "tree-squid"]
    for name in pair.names:
        asyncio.run(pair.cluster("tree-squid").journal(name).forget())
    written = len(pair.said)

    async def differ(_cluster, _tag, wanted):
        return dict.fromkeys(wanted.copies, "differ")

    async def put(*_given):
        raise AssertionError("files were written")

    monkeypatch.setattr(scripts, "_compared", differ)
    monkeypatch.setattr(scripts, "put", put)
    with pytest.raises(Refused, match="was found on proxy-a and proxy-b") as told:
        up(pair, squid)
    assert "`lifekeeper.squid_scripts`" in told.value.remedy
    assert len(pair.said) == written


def test_one_silent_node_hides_nothing_of_squids_scripts_on_the_other():
    squid: Any = next(each for each in things(site(**GENERIC), "o/s") if each.name == "tree-squid").inputs
    for value in (squid.settings, squid.copies, squid.nodes):
        assert set(value) == {"proxy-a", "proxy-b"}, "drift narrows what is by node at the top alone"


# How it is found again


def lists(*instances: Instance, over: dict[str, str] | None = None) -> dict[str, Lists]:
    """``over``: resource → the address above it."""
    pair = fresh()
    up(pair, members(2))
    view = asyncio.run(hierarchy_view(pair))
    ties = {(address, tag) for tag, address in (over or {}).items()}
    addresses = [Instance("comm", "ip", each, f"IP-{each}", "", "ISP") for each, _ in ties]
    known = {each.tag: each for each in (*instances, *addresses)}
    return {"proxy-a": replace(view, instances=known, dependencies=ties)}


async def hierarchy_view(pair: Pair) -> Lists:
    return (await views.read(pair.cluster(), ["proxy-a"]))["proxy-a"]


def resource(sort: str, tag: str) -> Instance:
    return Instance("gen", sort, tag, tag, "", "ISP")


def test_an_application_is_squids_by_its_tag_alone():
    assert hierarchy.squid(lists(resource("app", "app-squid"), resource("app", "other"))) == "app-squid"
    told = replace(resource("app", "exporter"), info="-c /etc/squid/exporter.yaml")
    assert hierarchy.squid(lists(resource("app", "app-squid"), told)) == "app-squid"
    with pytest.raises(Unknown, match="squid-a, squid-b"):
        hierarchy.squid(lists(resource("app", "squid-a"), resource("app", "squid-b")))
    with pytest.raises(Unknown, match="no resource for Squid"):
        hierarchy.squid(lists(told))


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"qsp-squid": "vip"}, "qsp-squid"),
        ({"app-squid": "vip"}, "app-squid"),
        ({"qsp-squid": "vip", "app-squid": "vip"}, "qsp-squid"),
        ({"qsp-squid": "vip", "app-squid": "other"}, ""),
        ({}, ""),
    ],
)
def test_of_both_kits_the_resource_under_the_address_is_squids(over: dict[str, str], found: str):
    seen = lists(resource("app", "app-squid"), resource("qsp", "qsp-squid"), over=over)
    if found:
        assert hierarchy.squid(seen) == found
    else:
        with pytest.raises(Unknown, match="app-squid, qsp-squid"):
            hierarchy.squid(seen)


def test_the_word_is_the_same_to_the_declaration_and_to_the_lists():
    assert rules.SQUID_WORD.pattern == hierarchy.WORD.pattern


# A pair that was built by hand


def copies(*tags: str, **texts: str) -> str:
    """As the nodes print the kit's copies; of Squid's resource and another one where no tag is said."""
    places = {"restore": "actions/!restore", "remove": "actions/!remove", "quickCheck": "actions/!quickCheck"}
    rows = ((places[name], base64.b64encode(text.encode()).decode()) for name, text in texts.items())
    return "".join(f"{place} {tag} {text}\n" for place, text in rows for tag in tags or ("app-squid", "other"))


def adopted(*said: str) -> tuple[Any, Draft]:
    declared, pair = site(2, **GENERIC), fresh()
    up(pair, members(2, **GENERIC))
    return declared, describe(with_copies(facts(pair, declared), *said), SSH)


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
        (copies(restore="#!/bin/sh\n:", remove=SCRIPT), "", "squid_scripts` takes"),
        ("", "", "squid_scripts` takes"),
    ],
)
def test_scripts_that_the_file_cannot_say_are_told(kits, here, there, sentence):
    _, draft = adopted(here, there)
    told = [note for note in draft.notes if sentence in note.what]
    assert told
    assert all("`up` refuses" in note.what for note in told)


# An application of somebody's in the service


APPLICATIONS = [
    {"tag": "app", "restore": "#!/bin/sh\ntouch /run/app\n", "remove": SCRIPT, "quick_check": SCRIPT},
    {"tag": "other", "restore": SCRIPT, "remove": SCRIPT, "below": "address"},
]


def with_copies(found: Any, *said: str) -> list[Any]:
    asked = lifekeeper_scripts.COMMAND
    return [
        replace(each, answers={**each.answers, lifekeeper_scripts.ANSWER: Result(asked, 0, told, "")})
        for each, told in zip(found, said, strict=True)
    ]


def of_applications(*applications: dict[str, str]) -> str:
    return "".join(copies(each["tag"], **kit_names(each)) for each in applications)


def kit_names(application: dict[str, str]) -> dict[str, str]:
    kit = {"restore": "restore", "remove": "remove", "quick_check": "quickCheck"}
    return {kit[name]: text for name, text in application.items() if name in kit}


def pair_with(*applications: dict[str, str], **section: Any) -> tuple[Any, Pair]:
    declared, pair = site(2, generic=list(applications), **section), fresh()
    up(pair, members(2, generic=list(applications), **section))
    return declared, pair


def test_an_application_below_squid_or_the_address_goes_into_the_file_and_up_changes_nothing(kits):
    declared, pair = pair_with(*APPLICATIONS, priorities=[5, 2])
    told = of_applications(*APPLICATIONS)
    draft = describe(with_copies(facts(pair, declared), told, told), SSH)
    back: Any = read(draft.site, "adopted").lifekeeper
    assert back == declared.lifekeeper
    notes = [note for note in draft.notes if note.place.startswith(("resource app ", "resource other "))]
    assert notes
    assert all("stand in the file" in note.what for note in notes)
    written = len(pair.said)
    up(pair, members(2, generic=[each.model_dump() for each in back.generic], priorities=back.priorities))
    assert pair.said[written:] == []


def other_priority(pair: Pair) -> None:
    pair.lcds["proxy-b"].priorities["app"] = 7


def other_switchback(pair: Pair) -> None:
    pair.lcds["proxy-a"].instances["app"][5] = "automatic"


def left_out_at_start(pair: Pair) -> None:
    pair.lcds["proxy-a"].initial["app"] = "INIT_OSU"


def without_equivalency(pair: Pair) -> None:
    for lcd in pair.lcds.values():
        lcd.lone.add("app")


def on_one_node(pair: Pair) -> None:
    del pair.lcds["proxy-b"].instances["app"]
    pair.lcds["proxy-b"].ties.remove(("qsp-squid", "app"))


def above_squid(pair: Pair) -> None:
    for lcd in pair.lcds.values():
        lcd.ties[lcd.ties.index(("qsp-squid", "app"))] = ("app", "qsp-squid")


@pytest.mark.parametrize(
    "change", [other_priority, other_switchback, left_out_at_start, without_equivalency, on_one_node, above_squid]
)
def test_an_application_that_up_would_change_stays_out_of_the_file_and_is_told(kits, change):
    declared, pair = pair_with(APPLICATIONS[0])
    change(pair)
    told = of_applications(APPLICATIONS[0])
    draft = describe(with_copies(facts(pair, declared), told, told), SSH)
    assert "generic" not in draft.site["lifekeeper"]
    notes = [note.what for note in draft.notes if note.place == "resource app (gen/app, app)"]
    assert notes
    assert all("belongs to the service" in what and "`lifekeeper.generic`" in what for what in notes)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"restore": SCRIPT, "remove": SCRIPT}, {"restore": SCRIPT, "remove": "#!/bin/sh\n:\n"}),
        ({"restore": SCRIPT, "remove": SCRIPT}, {}),
        ({"restore": SCRIPT, "remove": "#!/bin/sh\n:"}, {"restore": SCRIPT, "remove": "#!/bin/sh\n:"}),
        ({"restore": "\x7fELF", "remove": SCRIPT}, {"restore": "\x7fELF", "remove": SCRIPT}),
        ({}, {}),
    ],
)
def test_an_application_whose_scripts_the_file_cannot_say_stays_out_of_it(kits, here, there):
    declared, pair = pair_with(APPLICATIONS[0])
    said = [copies("app", **texts) for texts in (here, there)]
    draft = describe(with_copies(facts(pair, declared), *said), SSH)
    assert "generic" not in draft.site["lifekeeper"]
    assert any("belongs to the service" in note.what for note in draft.notes)


def test_an_application_of_another_hierarchy_is_left_alone(kits):
    declared, pair = pair_with()
    for lcd in pair.lcds.values():
        lcd.instances["app"] = ["gen", "app", "app", "", lcd.instances["qsp-squid"][4], "intelligent"]
        lcd.priorities["app"] = lcd.priorities["qsp-squid"]
    told = of_applications(APPLICATIONS[0])
    draft = describe(with_copies(facts(pair, declared), told, told), SSH)
    assert "generic" not in draft.site["lifekeeper"]
    (what,) = {note.what for note in draft.notes if note.place == "resource app (gen/app, app)"}
    assert "left alone" in what


@pytest.mark.parametrize(("name", "section"), [("tree-squid", GENERIC), ("generic-app", {"generic": APPLICATIONS})])
def test_that_up_puts_the_scripts_beside_the_copies_holds_up_no_adoption(name, section):
    thing = next(each for each in members(2, **section) if each.name == name)
    given = thing.inputs
    for copies_, told in (("same", 0), ("differ", 1)):
        nowhere = {name: NodeSettings() for name in given.settings}
        live = given.model_copy(update={"settings": nowhere, "copies": dict.fromkeys(given.copies, copies_)})
        outcome = compare.Outcome()
        compare._judge(outcome, site(2, **section), thing, Present(live), {})
        assert len(outcome.changes) == told * len(given.copies), outcome.changes


def test_the_scripts_are_read_by_a_shell(tmp_path):
    for place in ("actions/!restore", "recovery/!recover"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "app-squid").write_text(SCRIPT)
    argv = [word if word != scripts.COPIES else str(tmp_path) for word in lifekeeper_scripts.COMMAND.argv]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = lifekeeper_scripts._scripts(said, "app-squid")
    assert found == {"restore": SCRIPT, "recover": SCRIPT}
