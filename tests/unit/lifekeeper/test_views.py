"""LifeKeeper's own lists beside its long status: what is documented decides, what contradicts it is nobody's guess."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from lab.lifekeeper.node import lists
from lab.lifekeeper.node.lcd import CommPath, Equivalency, Instance, Lcd
from providers.connection.command import Result
from providers.connection.errors import Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.host import waiting
from providers.lifekeeper import grammar, lcdstatus, views
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.test_providers import differences, fresh, members, up

STATUS = """Resource hierarchies for machine "node1":
ROOT of RESOURCE HIERARCHY
apache-home.fred: id=apache-home.fred app=webserver type=apache state=ISP
        initialize=(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper
        info=/home/fred /usr/sbin/httpd
        reason=restore action has succeeded
        depends on resources: ip-a,ip-b
        Local priority = 1
        SHARED equivalency with "apache-far" on "node2", priority = 10
                FAILOVER ALLOWED
ip-a: id=IP-172.17.104.25 app=comm type=ip state=ISP
        info=node1 eth0 172.17.104.25 fffffc00
        these resources are dependent: apache-home.fred
ip-b: id=IP-172.17.104.26 app=comm type=ip state=ISP
        info=node1 eth0 172.17.104.26 fffffc00
        these resources are dependent: apache-home.fred
The following LifeKeeper machines are known:
        machine=node1 state=ALIVE
        machine=node2 state=ALIVE
The following LifeKeeper network connections exist:
        to machine=node2 type=TCP addresses=192.168.1.1/192.168.105.19
                        state="DEAD" priority=2 #comm_downs=0
The following LifeKeeper flags are on:
        shutdown_switchover
"""
ANSWERS = {
    "ins_list": "".join(f"node1|comm|ip|{tag}|{tag}||ISP\n" for tag in ("apache-home.fred", "ip-a", "ip-b")),
    "dep_list": "apache-home.fred|ip-a\napache-home.fred|ip-b\n",
    "eqv_list": "node1|apache-home.fred|node2|apache-far|SHARED|1|10\n",
    "net_list": "node2|192.168.1.1/192.168.105.19|TCP\n",
    "sys_list": "node1\nnode2\n",
    "lcdstatus": STATUS,
}
DEPENDENCIES = {("apache-home.fred", "ip-a"), ("apache-home.fred", "ip-b")}


def answered(**answers: str) -> list[Result]:
    told = {**ANSWERS, **answers}
    return [Result(each, 0, told.get(Path(each.argv[0]).name, ""), "") for each in views.queries()]


def parsed(**answers: str) -> views.View:
    return views.parse("node1", answered(**answers))


@pytest.mark.parametrize(
    "printed",
    [
        "apache-home.fred|ip-a\napache-home.fred|ip-b\n",
        "ip-a|apache-home.fred\nip-b|apache-home.fred\n",
        "ip-b|apache-home.fred|more\nip-a|apache-home.fred|more\nip-a|apache-home.fred|more\n",
    ],
    ids=["parent first", "child first", "with more fields and a line twice"],
)
def test_what_depends_on_what_is_as_the_status_says_whichever_the_list_prints_first(printed):
    assert parsed(dep_list=printed).dependencies == DEPENDENCIES


@pytest.mark.parametrize("gone", ["depends on resources", "these resources are dependent"])
def test_either_of_the_two_lines_tells_a_dependency(gone):
    status = "".join(line for line in STATUS.splitlines(keepends=True) if gone not in line)
    assert (
        parsed(lcdstatus=status, dep_list="ip-a|apache-home.fred\nip-b|apache-home.fred\n").dependencies == DEPENDENCIES
    )


def test_a_dependency_that_is_left_of_resources_which_are_gone_here_is_none():
    assert parsed(dep_list=f"{ANSWERS['dep_list']}gone|gone-too\n").dependencies == DEPENDENCIES


@pytest.mark.parametrize("own", ["node1|apache-home.fred", "apache-home.fred|node1"])
def test_an_equivalency_is_as_the_status_says_wherever_the_list_has_the_own_tag(own):
    seen = parsed(eqv_list=f"{own}|node2|apache-far|SHARED|1|10\n")
    assert seen.equivalents == {("apache-home.fred", "node2", "apache-far")}


def test_an_equivalency_that_is_left_of_a_resource_which_is_gone_here_is_as_the_list_has_it():
    seen = parsed(eqv_list=f"{ANSWERS['eqv_list']}node1|gone|node2|gone|SHARED|1|10\n")
    assert seen.equivalents == {("apache-home.fred", "node2", "apache-far"), ("gone", "node2", "gone")}


@pytest.mark.parametrize("first", ["node2", "node1", "3"])
def test_a_path_leads_where_the_status_says(first):
    addresses = "192.168.1.1/192.168.105.19"
    seen = parsed(net_list=f"{first}|{addresses}|TCP\n")
    assert seen.paths == {("node2", addresses): lcdstatus.Path("node2", addresses, "2", "DEAD")}


def test_a_path_over_a_serial_device_stays_as_its_list_has_it():
    seen = parsed(net_list=f"{ANSWERS['net_list']}node2|/dev/ttyS0|TTY\n")
    assert seen.paths["node2", "/dev/ttyS0"] == lcdstatus.Path("node2", "/dev/ttyS0")
    assert len(seen.paths) == 2


CONTRADICTIONS = {
    "a pair that only the list has": (
        {"dep_list": f"{ANSWERS['dep_list']}ip-a|ip-b\n"},
        "`dep_list` has `ip-a|ip-b`, and `lcdstatus` no line of ip-a, ip-b",
    ),
    "a pair that only the status has": (
        {"dep_list": "apache-home.fred|ip-a\n"},
        "`lcdstatus` has `ip-b: these resources are dependent: apache-home.fred`, and `dep_list` no line of",
    ),
    "a list of other fields": (
        {"dep_list": "node1|apache-home.fred|ip-a\nnode1|apache-home.fred|ip-b\n"},
        "`dep_list` has `node1|apache-home.fred|ip-b`, and `lcdstatus` no line of",
    ),
    "a status without dependencies": (
        {"lcdstatus": STATUS.replace("depend", "hang")},
        "`dep_list` has `apache-home.fred|ip-a`, and `lcdstatus` no line of apache-home.fred, ip-a",
    ),
    "an equivalency that only the list has": (
        {"eqv_list": f"{ANSWERS['eqv_list']}node1|ip-a|node2|ip-a|SHARED|1|10\n"},
        "`eqv_list` has `node1|ip-a|node2|ip-a|SHARED|1|10`, and `lcdstatus` no line of ip-a, node2, ip-a",
    ),
    "an equivalency that only the status has": (
        {"eqv_list": ""},
        '`lcdstatus` has `apache-home.fred: SHARED equivalency with "apache-far" on "node2", priority = 10`, and `eqv',
    ),
    "a system of which the status does not say whether it is alive": (
        {"lcdstatus": STATUS.replace("        machine=node2 state=ALIVE", "        machine: node2, ALIVE")},
        "`sys_list` has `node2`, and `lcdstatus` no line of machine=node2",
    ),
    "a path that only the list has": (
        {"net_list": f"{ANSWERS['net_list']}node2|10.0.0.1/10.0.0.2|TCP\n"},
        "`net_list` has `node2|10.0.0.1/10.0.0.2|TCP`, and `lcdstatus` no line of 10.0.0.1/10.0.0.2",
    ),
    "a path that only the status has": (
        {"net_list": ""},
        "`lcdstatus` has `to machine=node2 type=TCP addresses=192.168.1.1/192.168.105.19`, and `net_list` no line of",
    ),
}


@pytest.mark.parametrize(("answers", "told"), CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
def test_what_a_list_and_the_status_do_not_both_say_is_unknown_and_told_with_both(answers, told):
    with pytest.raises(Unknown) as caught:
        parsed(**answers)
    assert told in caught.value.message
    assert caught.value.node == "node1"
    assert "report" in caught.value.remedy


def test_a_system_that_no_path_leads_to_needs_no_line_in_the_status():
    told = parsed(sys_list="node1\nnode2\nnode3\n")
    assert told.systems == ("node1", "node2", "node3")
    assert "node3" not in told.machines


# How many blanks stand between words is not documented


def test_the_status_reads_the_same_however_many_blanks_stand_between_its_words():
    wide = re.sub(r"(?<=\S) (?=\S)", "  ", STATUS)
    around = re.sub(r"(?<=\w)=(?=[\w(\"])", " = ", wide)
    for status in (wide, around, around.replace("  ", " \t ")):
        assert status != STATUS
        assert lcdstatus.parse_status(status).machines == {"node1": "ALIVE", "node2": "ALIVE"}
        assert parsed(lcdstatus=status) == parsed()


def test_the_own_system_needs_no_line_of_its_own_in_the_status():
    without = STATUS.replace("        machine=node1 state=ALIVE\n", "")
    assert parsed(lcdstatus=without).machines == {"node2": "ALIVE"}


# An info string has bytes in it that are no printable letters

UNPRINTABLE = [chr(each) for each in (*range(1, 10), *range(11, 32), 0x85)] + ["\u2028"]


@pytest.mark.parametrize("byte", UNPRINTABLE, ids=ascii)
def test_whatever_byte_joins_a_mirrors_info_its_state_and_all_around_it_is_read(byte):
    info = byte.join(["0", "/dev/sdb", "10.0.0.2", "        Local priority = 99", "/opt/LifeKeeper/bitmap_data"])
    row = f"node1|scsi|netraid|datarep|/dev/sdb|{info}|ISP|INTELLIGENT\n"
    below = ANSWERS["ins_list"]
    shown = STATUS.replace("/home/fred /usr/sbin/httpd", info)
    seen = parsed(ins_list=row + below, lcdstatus=shown, flg_list=f"a{byte}flag\n{views.ACTION}{byte}lock\n")
    assert (seen.state("datarep"), seen.instances["datarep"].info) == ("ISP", info)
    assert [tag for tag, each in seen.instances.items() if each.state == "ISP"] == [
        "datarep", "apache-home.fred", "ip-a", "ip-b",
    ]  # fmt: skip
    assert seen.priorities == {"apache-home.fred": "1"}
    assert (len(seen.flags), seen.busy) == (2, f"{views.ACTION}{byte}lock")


def test_a_list_whose_lines_end_with_a_carriage_return_is_read_as_any_other():
    told = {name: text.replace("\n", "\r\n") for name, text in ANSWERS.items()}
    assert parsed(**told) == parsed()


# How a resource starts, and the other node's priority


@pytest.mark.parametrize("initial", lcdstatus.INITIAL)
def test_how_a_resource_starts_is_as_the_status_says(initial):
    status = STATUS.replace("(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper", f"({initial}) some words")
    assert parsed(lcdstatus=status).initial == {"apache-home.fred": initial}


@pytest.mark.parametrize("said", ["(SOON) some words", "AUTORES_ISP", "(INIT_OSU", "() some words"])
def test_what_is_no_known_way_to_start_is_not_shown(said):
    said_now = "(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper"
    assert parsed(lcdstatus=STATUS.replace(said_now, said)).initial == {}


def test_the_other_nodes_priority_is_as_the_status_says_where_it_says_one():
    equivalent = ("apache-home.fred", "node2", "apache-far")
    assert parsed().peer_priorities == {equivalent: "10"}
    without = parsed(lcdstatus=STATUS.replace(", priority = 10", ""))
    assert (without.equivalents, without.peer_priorities) == ({equivalent}, {})


# Read while somebody changes a hierarchy


def reading(monkeypatch, *dep_lists: str):
    """What `read` makes of these lists, one for each reading; and how many readings it took."""
    monkeypatch.setattr(views, "AGAIN", (0.0, 0.0))
    asked = iter(dep_lists)

    def answer(command):
        name = Path(command.argv[0]).name
        return next(asked) if name == "dep_list" else ANSWERS.get(name, "")

    node = FakeNode("node1", answer)
    seen = asyncio.run(views.read(fake_cluster(node), ["node1"]))["node1"]
    return seen, len(node.commands) // len(views.queries())


def test_lists_read_on_both_sides_of_a_change_are_read_again(monkeypatch):
    seen, readings = reading(monkeypatch, "", "apache-home.fred|ip-a\n", ANSWERS["dep_list"])
    assert (seen.dependencies, readings) == (DEPENDENCIES, 3)


def test_lists_that_agree_are_read_once(monkeypatch):
    assert reading(monkeypatch, ANSWERS["dep_list"])[1] == 1


def test_lists_that_never_agree_are_unknown(monkeypatch):
    with pytest.raises(Unknown, match=r"`dep_list` no line of apache-home\.fred, ip-b"):
        reading(monkeypatch, "", "", "apache-home.fred|ip-a\n")


# Waiting for what somebody changes


def waited(answers, limit=60.0, holds=bool):
    """What `views.until` makes of these answers, one for each reading, the last one for all further ones."""
    left = list(answers)

    async def ask():
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    told: list[Any] = []
    return asyncio.run(views.until(ask, holds, limit, report=lambda seen, _: told.append(seen))), told


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(waiting, "REPORT_EVERY", 0.0)
    pause = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: pause(0))


CHANGING = views.Contradicting("lists contradict each other", node="node1")


@pytest.mark.usefixtures("no_pause")
def test_lists_that_contradict_each_other_while_a_hierarchy_changes_are_waited_out():
    (seen, held), told = waited([CHANGING, {}, CHANGING, {"node1": views.View()}])
    assert (seen, held, told) == ({"node1": views.View()}, True, [{}])


@pytest.mark.usefixtures("no_pause")
def test_lists_that_contradict_each_other_to_the_end_of_a_wait_are_told():
    with pytest.raises(views.Contradicting):
        waited([{}, CHANGING], limit=0.01)


@pytest.mark.usefixtures("no_pause")
def test_an_answer_that_is_unknown_for_another_reason_ends_the_wait():
    with pytest.raises(Unknown, match="does not answer"):
        waited([Unknown("does not answer"), {}])


@pytest.mark.usefixtures("no_pause")
def test_paths_are_waited_for_though_the_lists_contradict_each_other_meanwhile(monkeypatch):
    pair, listed = fresh(), members(2)
    up(pair, listed[:1])
    real, changing = views.read, [CHANGING]

    async def read(cluster, names):
        if len(names) == len(pair.lcds) and changing and any("net_create" in line for _, line in pair.said):
            raise changing.pop()
        return await real(cluster, names)

    monkeypatch.setattr(views, "telling", lambda cluster, names, *_: real(cluster, names))
    monkeypatch.setattr(views, "read", read)
    up(pair, [each for each in listed if each.name == "paths"])
    assert changing == []


# A resource that is none of a site's

FOREIGN = "node1|database|oracle|db1|db1||ISP\nnode1|database|listener|lsn1|lsn1||ISP\n"


def test_the_status_is_asked_for_what_it_shows_of_equivalencies():
    assert [each.argv[1:] for each in views.queries() if each.argv[0].endswith("eqv_list")] == [("-e", "SHARED", "-f|")]


def test_a_foreign_resource_that_the_status_does_not_show_stops_nothing():
    seen = parsed(
        ins_list=ANSWERS["ins_list"] + FOREIGN,
        dep_list=f"{ANSWERS['dep_list']}db1|lsn1\n",
        eqv_list=f"{ANSWERS['eqv_list']}node1|db1|node2|db1|SHARED|1|10\n",
    )
    assert seen.dependencies == DEPENDENCIES
    assert ("db1", "node2", "db1") in seen.equivalents


def test_a_resource_of_a_sites_kind_that_the_status_does_not_show_is_unknown():
    with pytest.raises(Unknown, match="no line of lost, lost-too"):
        parsed(
            ins_list=f"{ANSWERS['ins_list']}node1|gen|qsp|lost|lost||ISP\n",
            dep_list=f"{ANSWERS['dep_list']}lost|lost-too\n",
        )


def test_what_stands_below_a_foreign_resource_with_other_words_is_not_taken_for_that_of_the_one_before():
    odd = "db1: id=db1 app=database type=oracle db state=ISP (degraded)\n        depends on resources: lsn1\n"
    status = STATUS.replace("The following LifeKeeper machines", f"{odd}The following LifeKeeper machines")
    seen = parsed(lcdstatus=status, ins_list=ANSWERS["ins_list"] + FOREIGN, dep_list=f"{ANSWERS['dep_list']}db1|lsn1\n")
    assert seen.dependencies == DEPENDENCIES | {("db1", "lsn1")}


# Who prints them


def test_a_site_is_made_and_left_alone_where_the_child_is_printed_first(monkeypatch):
    pair, listed = fresh(), members()

    def child_first(name, _values):
        return 0, "".join(f"{child}|{parent}\n" for parent, child in pair.lcds[name].ties)

    monkeypatch.setattr(pair, "dep_list", child_first)
    up(pair, listed)
    lines = len(pair.said)
    up(pair, listed)
    assert len(pair.said) == lines
    assert [differences(pair, thing) for thing in listed] == [[] for _ in listed]


def test_the_pair_in_memory_says_the_same_in_its_lists_and_its_status():
    pair: Pair = fresh()
    up(pair, members())
    seen = asyncio.run(views.read(pair.cluster(), pair.names))
    for name, view in seen.items():
        other = pair.other(name)
        assert view.dependencies == set(pair.lcds[name].ties)
        assert view.equivalents == {(tag, other, tag) for tag in view.instances}


def test_the_stand_ins_lists_and_status_say_the_same():
    lcd = Lcd(
        "node1",
        systems=["node2"],
        paths=[CommPath("node2", "10.0.0.1", "10.0.0.2", 1)],
        instances={
            "vip": Instance("gen", "app", "vip", "vip"),
            "squid": Instance("gen", "app", "squid", "squid", initialize="INIT_OSU"),
            "data": Instance("gen", "app", "data", "data", initialize="INIT_ISP"),
        },
        dependencies=[("vip", "squid"), ("squid", "data"), ("vip", "data")],
        equivalencies=[Equivalency("vip", "node2", "far-vip", 1, 10)],
    )
    status = lists.long_status(lcd, {lists.key(lcd.paths[0]): "ALIVE"}, {"node2": True}, "x")
    seen = parsed(
        lcdstatus=status,
        ins_list=lists.lines([lists.instance(lcd, each) for each in lcd.instances.values()], views.SEPARATOR),
        dep_list=lists.lines(lcd.dependencies, views.SEPARATOR),
        eqv_list="node1|vip|node2|far-vip|SHARED|1|10\n",
        net_list="node2|10.0.0.1/10.0.0.2|TCP|1|ALIVE\n",
    )
    assert seen.dependencies == set(lcd.dependencies)
    assert seen.equivalents == {("vip", "node2", "far-vip")}
    assert seen.peer_priorities == {("vip", "node2", "far-vip"): "10"}
    assert seen.initial == {tag: each.initialize for tag, each in lcd.instances.items()}
    assert seen.paths == {("node2", "10.0.0.1/10.0.0.2"): lcdstatus.Path("node2", "10.0.0.1/10.0.0.2", "1", "ALIVE")}


def test_a_list_that_failed_is_named_before_any_contradiction():
    results = answered(dep_list="")
    failed = [Result(each.command, 9, "", "") if "dep_list" in each.command.shell() else each for each in results]
    with pytest.raises(Unknown, match="does not answer") as caught:
        views.parse("node1", failed)
    assert grammar.explain(9, "dep_list") in str(caught.value)
