"""A split brain is told, and ended as a person decides; cut off anywhere, the next run goes on with it."""

import asyncio
import subprocess

import pytest

from providers.connection.errors import NotVerified, Refused, TimedOut, Unknown
from providers.lifekeeper import runtime, split
from tests.unit.lifekeeper.fake import COPYING, Cut
from tests.unit.lifekeeper.test_plan_and_runtime import IN_SYNC, foreign
from tests.unit.lifekeeper.test_providers import fresh, members, up

A, B = "proxy-a", "proxy-b"
ADDRESS, SQUID, VOLUME, HALF = "ip-192.0.2.10", "qsp-squid", "/mnt/mirror", "datarep-mirror"
BROKEN = IN_SYNC.replace("[UU]", "[U_]")
PROGRAM = "/opt/LifeKeeper/bin/"


def split_pair(*, address_on_both=True):
    """A pair that was cut in two, and is connected again: the service runs on both."""
    pair = fresh()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.mdstat = BROKEN
        lcd.units["squid.service"] = "active"
    for tag, each in pair.lcds[B].instances.items():
        each[4] = "ISP" if address_on_both or tag != ADDRESS else "OSF"
    pair.said.clear()
    return pair


def states(pair, name):
    return {tag: each[4] for tag, each in pair.lcds[name].instances.items()}


def lifekeeper(pair):
    return [(node, line.removeprefix(PROGRAM)) for node, line in pair.said if line.startswith(PROGRAM)]


def resolve(pair, victim, notes=None):
    async def left():
        pair.said.append((victim, "saved once more"))
        if notes is not None:
            notes.append(states(pair, victim))

    asyncio.run(runtime.resolve(pair.cluster(), victim, left))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(split, "RESYNC_LIMIT", 0.0)


def test_a_mirror_in_service_on_both_nodes_is_a_split_brain():
    pair = split_pair()
    found = asyncio.run(runtime.split_brain(pair.cluster()))
    assert found is not None
    assert found.said == dict.fromkeys((A, B), f"{HALF}: in service here")
    assert pair.said == []


def test_a_service_in_service_on_both_nodes_is_not_said_to_be_on_its_way():
    with pytest.raises(Unknown, match=f"split brain: {HALF} is in service on {A} and {B}"):
        asyncio.run(runtime.active_node(split_pair().cluster()))


def test_the_service_leaves_the_victim_before_the_logs_are_saved_and_the_whole_half_is_copied_after():
    pair, seen = split_pair(), []
    resolve(pair, B, seen)
    assert lifekeeper(pair) == [
        (B, f"perform_action -t {ADDRESS} -a remove"),
        (B, f"perform_action -t {SQUID} -a remove"),
        (B, f"perform_action -t {VOLUME} -a remove"),
        (B, f"perform_action -t {HALF} -a remove"),
        (A, f"mirror_action {HALF} fullresync {A} {B}"),
    ]
    assert seen == [{ADDRESS: "OSU", SQUID: "OSU", VOLUME: "ISP", HALF: "ISP"}], "the filesystem was gone by then"
    assert pair.said[2] == (B, "saved once more")
    assert set(states(pair, A).values()) == {"ISP"}
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None


def test_the_node_that_has_the_address_may_be_the_victim():
    """Where only the heartbeats were cut, an address that is in use is not taken a second time."""
    pair = split_pair(address_on_both=False)
    resolve(pair, A)
    assert lifekeeper(pair)[-1] == (B, f"perform_action -t {ADDRESS} -a restore")
    assert set(states(pair, B).values()) == {"ISP"}
    assert asyncio.run(runtime.active_node(pair.cluster())) == B


def test_nothing_is_thrown_away_without_a_split_brain():
    pair = split_pair()
    for each in pair.lcds[B].instances.values():
        each[4] = "OSU"
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None
    with pytest.raises(Refused, match="no split brain"):
        resolve(pair, B)
    assert pair.said == []


def test_a_survivor_that_does_not_hear_the_victim_copies_nothing_and_nothing_is_stopped():
    pair = split_pair()
    pair.lcds[A].paths.clear()
    with pytest.raises(Refused, match=f"{A}: this node does not hear {B}"):
        resolve(pair, B)
    assert pair.said == []


def test_a_node_without_lifekeeper_running_ends_no_split_brain():
    pair = split_pair()
    pair.lcds[A].running = False
    with pytest.raises(Refused, match=f"does not answer on {A}"):
        resolve(pair, B)
    assert pair.said == []


def test_without_the_program_that_copies_nothing_is_stopped(monkeypatch):
    pair = split_pair()
    run = pair.run

    def lacks(name, command):
        done = run(name, command)
        return type(done)(command, 1, "", "") if command.argv[0] == "test" else done

    monkeypatch.setattr(pair, "run", lacks)
    with pytest.raises(Refused, match="there is no /opt/LifeKeeper/bin/mirror_action"):
        resolve(pair, B)
    assert pair.said == []


def test_a_half_that_does_not_leave_service_is_not_overwritten(monkeypatch):
    pair = split_pair()
    take = pair.perform_action

    def stays(name, values):
        return (0,) if values["tag"] == VOLUME else take(name, values)

    monkeypatch.setattr(pair, "perform_action", stays)
    with pytest.raises(NotVerified, match=f"{B}: still in service: {VOLUME}"):
        resolve(pair, B)
    assert [line for _, line in lifekeeper(pair) if "mirror_action" in line] == []


def test_a_copy_that_does_not_begin_is_said_and_asked_for_again(monkeypatch):
    pair = split_pair()
    act = pair.mirror_action
    monkeypatch.setattr(pair, "mirror_action", lambda _name, _values: (0,))
    with pytest.raises(TimedOut, match=f"the copying to {B} did not begin"):
        resolve(pair, B)
    monkeypatch.setattr(pair, "mirror_action", act)
    pair.said.clear()
    resolve(pair, B)
    assert lifekeeper(pair) == [(A, f"mirror_action {HALF} fullresync {A} {B}")]


LINES = 5


@pytest.mark.parametrize("effect", ["before", "after"])
@pytest.mark.parametrize("at", range(LINES))
def test_cut_off_at_any_line_it_goes_on_and_copies_everything(effect, at):
    pair, count = split_pair(), [0]

    def cut(_node, line):
        if line.startswith(PROGRAM):
            count[0] += 1
            if count[0] == at + 1:
                raise Cut

    setattr(pair, effect, cut)
    with pytest.raises(Cut):
        resolve(pair, B)
    setattr(pair, effect, lambda _node, _line: None)
    # LifeKeeper's own check of its health may have brought the half in meanwhile, and it looks the same on both.
    pair.lcds[A].mdstat = IN_SYNC
    pair.said.clear()
    found = asyncio.run(runtime.split_brain(pair.cluster()))
    assert found is not None
    assert set(found.said) == {A, B}
    resolve(pair, B)
    assert lifekeeper(pair)[-1] == (A, f"mirror_action {HALF} fullresync {A} {B}")
    assert pair.lcds[A].mdstat == COPYING
    assert set(states(pair, B).values()) == {"OSU"}
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None
    assert asyncio.run(runtime.notices(pair.cluster())) == []


def given_up():
    """B was given up, and the run was cut off before it was overwritten; its half looks as if it were in step."""
    pair = split_pair()

    def cut(_node, line):
        if "mirror_action" in line:
            raise Cut

    pair.before = cut
    with pytest.raises(Cut):
        resolve(pair, B)
    pair.before = lambda _node, _line: None
    pair.lcds[A].mdstat = IN_SYNC
    pair.said.clear()
    return pair


def test_a_half_that_was_given_up_is_noted_and_does_not_become_the_source():
    pair = given_up()
    (notice,) = asyncio.run(runtime.notices(pair.cluster()))
    assert notice.node == B
    assert "still to be overwritten" in notice.text
    with pytest.raises(Refused, match="was given up, and is not overwritten yet"):
        asyncio.run(runtime.switchover(pair.cluster(), B))
    assert lifekeeper(pair) == []


def test_the_other_half_is_not_given_up_after_the_first():
    pair = given_up()
    with pytest.raises(Refused, match=f"the half of {B} was given up already"):
        resolve(pair, A)
    assert pair.said == []


def test_a_half_that_was_given_up_and_is_the_only_source_since_counts():
    pair = given_up()
    for each in pair.lcds[A].instances.values():
        each[4] = "OSU"
    for each in pair.lcds[B].instances.values():
        each[4] = "ISP"
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None


def test_another_services_resources_stay_in_service_on_the_victim():
    pair = split_pair()
    foreign(pair, "ip-other", kind=("comm", "ip"))
    resolve(pair, B)
    assert states(pair, B)["ip-other"] == "ISP"


# The logs


def saved(pair, name):
    cluster = pair.cluster()
    pair.said.clear()
    asyncio.run(runtime.save_logs(cluster, name, "squid", "/var/saved/now"))
    (said,) = pair.said
    return said[1], [each.argv for each in cluster.nodes[name].commands if each.writes][-1]


def test_of_a_mounted_half_the_logs_are_copied_where_it_is_mounted():
    line, argv = saved(split_pair(), B)
    assert line == "copy squid of this half of the mirror to /var/saved/now"
    assert argv[-3:] == (VOLUME, "squid", "/var/saved/now")


def test_a_half_that_is_not_mounted_is_read_from_its_disk(monkeypatch):
    pair = split_pair()
    pair.lcds[B].instances[VOLUME][4] = "OSF"
    run = pair.run

    def not_mounted(name, command):
        done = run(name, command)
        return type(done)(command, 32, "", "") if command.argv[0] == "mountpoint" else done

    monkeypatch.setattr(pair, "run", not_mounted)
    _, argv = saved(pair, B)
    assert argv[0] == "unshare"
    assert argv[-3:] == ("printf", "%s", pair.lcds[B].instances[HALF][2])


def test_of_a_half_that_was_given_up_counts_what_was_saved_before():
    line, _ = saved(given_up(), B)
    assert line == "keep what was saved before in /var/saved/now"


def test_what_was_saved_last_is_kept_under_the_new_name(tmp_path):
    for name, text in (("1", "old\n"), ("2", "last\n"), ("3.part", "half\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "access.log").write_text(text)
    words = ["sh", "-c", split._SAVED_BEFORE, "sh", str(tmp_path / "4")]
    for _ in range(2):
        subprocess.run(words, check=True)
    assert (tmp_path / "4/access.log").read_text() == "last\n"
    assert not (tmp_path / "4/2").exists()
    (tmp_path / "empty").mkdir()
    words[-1] = str(tmp_path / "empty/1")
    assert subprocess.run(words, check=False, capture_output=True).returncode == 1
