"""LifeKeeper is not stopped under a running service while somebody changes a hierarchy or a mirror catches up.

And not at all with a VMDK resource.
"""

import asyncio

import pytest

from providers.connection.errors import Refused, TimedOut, Unknown
from providers.lifekeeper import runtime, speaking
from providers.lifekeeper.mirror_view import resynchronising
from tests.unit.lifekeeper.test_providers import down, fresh, members, up

FLAG = "!action!123!456!proxy-b:create"
BEHIND = (
    "Personalities : [raid1]\nmd0 : active raid1 nbd0[1](W) sdb[0]\n      5 blocks super 1.0 [2/1] [U_]\n"
    "      [=>...]  recovery = 12.5% (1/5) finish=1.0min\n      bitmap: 0/1\n\nunused devices: <none>\n"
)
VMDK = ["scsi", "vmdk", "id", "", "OSU", "intelligent"]
CHANGED = {"heartbeat": {"interval": "2s"}}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 0.0)


def pair_up(**lifekeeper):
    pair = fresh()
    up(pair, members(2, **lifekeeper))
    pair.said.clear()
    return pair


def pause(pair):
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))


def change(pair):
    up(pair, members(2, **CHANGED)[:1])


def take_back(pair):
    down(pair, members(2, **CHANGED)[:1])


def stopped(pair):
    return [name for name, lcd in pair.lcds.items() if not lcd.running]


@pytest.mark.parametrize("act", [pause, change, take_back])
def test_somebody_elses_change_is_waited_for_on_every_node_before_any_is_stopped(act):
    pair = pair_up(**(CHANGED if act is take_back else {}))
    pair.lcds["proxy-b"].flags.append(FLAG)
    with pytest.raises(TimedOut, match=r"proxy-b: .*!action!123"):
        act(pair)
    assert stopped(pair) == []


@pytest.mark.parametrize("act", [pause, change, take_back])
def test_a_mirror_that_is_being_resynchronised_is_named_and_nothing_is_stopped(act):
    pair = pair_up(**(CHANGED if act is take_back else {}))
    pair.lcds["proxy-b"].mdstat = BEHIND
    with pytest.raises(Refused, match=r"proxy-b: .*md0: recovery 12\.5%"):
        act(pair)
    assert stopped(pair) == []


def test_flags_that_cannot_be_read_stop_nothing(monkeypatch):
    pair = pair_up()
    monkeypatch.setattr(pair, "flg_list", lambda name, values: (3, "", "failed inside"))
    with pytest.raises(Unknown, match="flg_list"):
        pause(pair)
    assert stopped(pair) == []


def test_both_are_waited_for_and_then_it_is_stopped(monkeypatch):
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 30.0)
    pair = pair_up()
    pair.lcds["proxy-b"].flags.append(FLAG)
    ask, asked = pair.run, []

    def passing(name, command):
        """The extension ends, and the first resynchronisation after it."""
        asked.append(command.label)
        result = ask(name, command)
        if "flg_list" in command.shell() and pair.lcds["proxy-b"].flags and name == "proxy-b":
            pair.lcds["proxy-b"].flags.clear()
            pair.lcds["proxy-b"].mdstat = BEHIND
        elif name == "proxy-b" and command.label == "look for a resynchronisation":
            pair.lcds["proxy-b"].mdstat = ""
        return result

    monkeypatch.setattr(pair, "run", passing)
    pause(pair)
    assert asked.count("look for a resynchronisation") == 3
    assert [name for name, _ in pair.said] == ["proxy-a", "proxy-b"]
    assert not any(lcd.running for lcd in pair.lcds.values())


def test_where_lifekeeper_is_stopped_already_nothing_is_waited_for():
    pair = pair_up()
    pause(pair)
    pair.lcds["proxy-a"].mdstat = BEHIND
    pair.said.clear()
    pause(pair)
    assert pair.said == []


@pytest.mark.parametrize("kind", [("scsi", "vmdk"), ("VMDK", "disk")])
@pytest.mark.parametrize("act", [pause, change, take_back])
def test_with_a_vmdk_resource_lifekeeper_is_not_stopped_under_what_runs_on_and_nothing_is_done(act, kind):
    pair = pair_up(**(CHANGED if act is take_back else {}))
    pair.lcds["proxy-b"].instances["disk-other"] = [*kind, "id", "", "ISP", "intelligent"]
    before = {key: dict(journal.values) for key, journal in pair.journals.opened.items()}
    with pytest.raises(Refused, match=r"proxy-b: .*disk-other.*VMDK.*lkstop -f") as refused:
        act(pair)
    assert "`lkcli stop` on each node" in refused.value.remedy
    assert pair.said == []
    assert {key: dict(journal.values) for key, journal in pair.journals.opened.items()} == before


@pytest.mark.parametrize("act", [pause, change, take_back])
def test_a_vmdk_resource_that_somebody_was_making_meanwhile_stops_it_too(act, monkeypatch):
    pair = pair_up(**(CHANGED if act is take_back else {}))

    async def made(_cluster, node):
        lcd = pair.lcds[node.name]
        lcd.instances["disk-other"], lcd.priorities["disk-other"] = list(VMDK), 1

    monkeypatch.setattr(speaking, "wait_idle", made)
    with pytest.raises(Refused, match=r"proxy-a: .*VMDK"):
        act(pair)
    assert not [line for _, line in pair.said if "stop" in line]


def test_a_vmdk_resource_that_keeps_a_heartbeat_from_going_back_stops_no_other_node_first():
    pair, declared = pair_up(**CHANGED), members(2, **CHANGED)
    down(pair, declared[1:])
    pair.lcds["proxy-b"].instances["disk-other"] = list(VMDK)
    pair.said.clear()
    with pytest.raises(Refused, match=r"proxy-b: .*VMDK"):
        take_back(pair)
    assert (pair.said, stopped(pair)) == ([], [])


def test_a_vmdk_resource_is_in_the_way_of_nothing_that_stops_no_lifekeeper():
    pair = pair_up()
    for lcd in pair.lcds.values():
        lcd.instances["disk-other"], lcd.priorities["disk-other"] = list(VMDK), 1
    up(pair, members(2, check_interval="60s")[:1])
    assert stopped(pair) == []
    for lcd in pair.lcds.values():
        lcd.running = False
    pause(pair)
    change(pair)
    assert stopped(pair) == []
    assert not [line for _, line in pair.said if "lkstop" in line]
    assert all("LCMHBEATTIME=2" in lcd.defaults for lcd in pair.lcds.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BEHIND, ["md0: recovery 12.5%"]),
        (BEHIND.replace("recovery = 12.5% (1/5)", "resync=DELAYED"), ["md0: resync DELAYED"]),
        (BEHIND.replace("[=>...]  recovery = 12.5% (1/5) finish=1.0min", ""), []),
        (BEHIND.replace("nbd0[1](W)", "sdc[1]"), []),
        ("", []),
    ],
)
def test_only_a_mirror_with_the_other_nodes_disk_in_it_counts(text, found):
    assert resynchronising(text) == found
