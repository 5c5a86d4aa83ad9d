"""A split brain is told, and ended as a person decides; cut off anywhere, the next run goes on with it."""

import asyncio
import io
import subprocess

import pytest
from rich.console import Console

from operations import overview
from providers.connection.errors import CommandFailed, NotVerified, Refused, TimedOut, Unknown
from providers.host import waiting
from providers.lifekeeper import resolving, runtime, speaking
from tests.unit.lifekeeper.fake import COPYING, Cut
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_halves import add, second_mirror
from tests.unit.lifekeeper.test_mirror_data import marked
from tests.unit.lifekeeper.test_plan_and_runtime import FORGOTTEN, IN_SYNC, NOTED, alone, foreign
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
    monkeypatch.setattr(resolving, "RESYNC_LIMIT", 0.0)


def test_a_mirror_in_service_on_both_nodes_is_a_split_brain():
    pair = split_pair()
    found = asyncio.run(runtime.split_brain(pair.cluster()))
    assert found is not None
    assert found.said == dict.fromkeys((A, B), f"{HALF}: in service here")
    assert pair.said == []


def test_a_service_in_service_on_both_nodes_is_not_said_to_be_on_its_way():
    with pytest.raises(Unknown, match=f"split brain: {HALF} is in service on {A} and {B}"):
        asyncio.run(runtime.active_node(split_pair().cluster()))


@pytest.mark.parametrize(
    ("address_on_both", "where"),
    [(True, f"runs on {A} and on {B} at once."), (False, f"runs on {A} and in part on {B} at once.")],
)
def test_a_split_brain_is_named_at_a_glance_with_both_nodes_and_what_ends_it(address_on_both, where, monkeypatch):
    async def no_clocks(_cluster, _site):
        return {}

    monkeypatch.setitem(overview.read.__globals__, "_clocks", no_clocks)
    cluster, declared = split_pair(address_on_both=address_on_both).cluster(), site()
    (notice,) = [each for each in asyncio.run(runtime.notices(cluster)) if each.kind == "apart"]
    assert notice.text.startswith(f"split brain: {HALF} is in service on {A} and {B}")
    assert "`squid-ha resolve split-brain`" in notice.text
    found = asyncio.run(overview.read(cluster, declared, "lab"))
    text = io.StringIO()
    Console(width=150, file=text).print(overview.render([(found.status, found.overview)]))
    heading = text.getvalue().splitlines()[0]
    assert heading.endswith(where)
    assert f"notice: {notice.text}" in " ".join(text.getvalue().split())
    assert where.removesuffix(".") in overview.page([found.overview])
    assert (found.overview.health, found.overview.healthy, found.overview.active) == ("bad", False, None)


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


def cut_at(pair, effect, at):
    count = [0]

    def cut(_node, line):
        if line.startswith(PROGRAM):
            count[0] += 1
            if count[0] == at + 1:
                raise Cut

    setattr(pair, effect, cut)


LINES = 5


@pytest.mark.parametrize("effect", ["before", "after"])
@pytest.mark.parametrize("at", range(LINES))
def test_cut_off_at_any_line_it_goes_on_and_copies_everything(effect, at):
    pair = split_pair()
    cut_at(pair, effect, at)
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


@pytest.mark.parametrize("effect", ["before", "after"])
@pytest.mark.parametrize("at", range(LINES + 1))
def test_cut_off_at_any_line_the_service_runs_on_the_survivor_at_the_end(effect, at):
    """The victim alone has the address."""
    pair = split_pair(address_on_both=False)
    cut_at(pair, effect, at)
    with pytest.raises(Cut):
        resolve(pair, A)
    setattr(pair, effect, lambda _node, _line: None)
    found = asyncio.run(runtime.split_brain(pair.cluster()))
    assert found is not None
    resolve(pair, A)
    assert set(states(pair, B).values()) == {"ISP"}
    assert asyncio.run(runtime.active_node(pair.cluster())) == B
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None
    assert marked(pair) == []


def test_a_copy_that_is_under_way_is_not_begun_anew_because_the_service_does_not_come(monkeypatch):
    pair = split_pair(address_on_both=False)
    put = pair.perform_action
    monkeypatch.setattr(
        pair, "perform_action", lambda name, values: (1,) if values["action"] == "restore" else put(name, values)
    )
    with pytest.raises(CommandFailed):
        resolve(pair, A)
    pair.lcds[B].mdstat = IN_SYNC
    with pytest.raises(Refused, match="was given up"):
        asyncio.run(runtime.switchover(pair.cluster(), A))
    monkeypatch.setattr(pair, "perform_action", put)
    pair.said.clear()
    resolve(pair, A)
    assert lifekeeper(pair) == [(B, f"perform_action -t {ADDRESS} -a restore")]
    assert marked(pair) == []


def test_the_address_that_comes_to_the_survivor_is_no_failover_to_the_alerts():
    pair = split_pair(address_on_both=False)
    resolve(pair, A)
    assert pair.said[-2:] == [(B, NOTED), (B, f"{PROGRAM}perform_action -t {ADDRESS} -a restore")]
    pair = split_pair()
    resolve(pair, B)
    assert NOTED not in [line for _, line in pair.said], "nothing comes there that would take the note away"


def test_an_address_that_did_not_come_is_not_noted_for_the_alerts(monkeypatch):
    pair = split_pair(address_on_both=False)
    put = pair.perform_action
    monkeypatch.setattr(
        pair, "perform_action", lambda name, values: (0,) if values["action"] == "restore" else put(name, values)
    )
    with pytest.raises(NotVerified, match=f"{ADDRESS} is not in service here"):
        resolve(pair, A)
    assert pair.said[-1] == (B, FORGOTTEN)


def test_a_line_that_takes_long_is_told_meanwhile(monkeypatch):
    say = speaking.say

    async def slowly(cluster, line):
        await asyncio.sleep(0.02)
        return await say(cluster, line)

    monkeypatch.setattr(speaking, "say", slowly)
    monkeypatch.setattr(waiting, "REPORT_EVERY", 0.005)
    pair = split_pair(address_on_both=False)
    resolve(pair, A)
    for page in (f"Copy all of {HALF} from {B} to {A}", f"Put {ADDRESS} in service", f"Take {HALF} out of service"):
        assert any(f"waiting for LifeKeeper: {page}" in line for line in pair.progress), page


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


def test_a_half_that_was_given_up_is_not_started_alone_while_the_survivor_is_off():
    pair = given_up()
    cluster = alone(pair)
    (given,) = [each for each in asyncio.run(runtime.notices(cluster)) if each.node == B]
    assert "still to be overwritten" in given.text
    with pytest.raises(Refused, match="was given up, and is not overwritten yet") as refused:
        asyncio.run(runtime.start_alone(cluster, B))
    assert refused.value.node == B
    assert f"start {A} and LifeKeeper there first" in (refused.value.remedy or "")
    assert lifekeeper(pair) == []
    assert set(states(pair, B).values()) == {"OSU"}


def test_a_half_that_was_given_up_is_told_while_the_mirror_is_in_service_nowhere():
    pair = given_up()
    for each in pair.lcds[A].instances.values():
        each[4] = "OSU"
    found = asyncio.run(runtime.split_brain(pair.cluster()))
    assert found is not None
    assert found.said[B].startswith("given up by a run that was cut off")
    assert found.said[A] == "not in service here"
    with pytest.raises(Refused, match=f"{A}: {HALF} is not in service here") as refused:
        resolve(pair, B)
    assert "as victim" not in (refused.value.remedy or "")
    assert pair.said == []


def failed_over_to_b(pair):
    for name, state in ((A, "OSU"), (B, "ISP")):
        for each in pair.lcds[name].instances.values():
            each[4] = state


def test_a_half_that_was_given_up_and_is_the_only_source_since_counts():
    pair = given_up()
    failed_over_to_b(pair)
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None
    asyncio.run(runtime.start_alone(alone(pair), B))


def test_a_half_that_counts_again_is_no_split_brain_after_a_switchover_either():
    pair = given_up()
    failed_over_to_b(pair)
    pair.lcds[B].mdstat = IN_SYNC
    asyncio.run(runtime.switchover(pair.cluster(), A))
    assert asyncio.run(runtime.active_node(pair.cluster())) == A
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None
    assert marked(pair) == []


def test_another_services_resources_stay_in_service_on_the_victim():
    pair = split_pair()
    foreign(pair, "ip-other", kind=("comm", "ip"))
    resolve(pair, B)
    assert states(pair, B)["ip-other"] == "ISP"


def in_service_everywhere(pair):
    for lcd in pair.lcds.values():
        for each in lcd.instances.values():
            each[4] = "ISP"


def test_the_mirror_of_an_application_that_shares_the_address_is_not_overwritten():
    pair = split_pair()
    add(pair, "an-app", "app")
    second_mirror(pair, ("an-app", "/a-cache"), (ADDRESS, "an-app"))
    in_service_everywhere(pair)
    with pytest.raises(Refused, match="datarep-a is a mirror in Squid's hierarchy too"):
        resolve(pair, B)
    assert pair.said == []


def test_what_the_address_stands_on_beside_squid_leaves_the_victim_too():
    """A Generic Application of the site's own, say."""
    pair = split_pair()
    add(pair, "an-app", "app", (ADDRESS, "an-app"))
    in_service_everywhere(pair)
    resolve(pair, B)
    assert states(pair, B) == dict.fromkeys(("an-app", ADDRESS, SQUID, VOLUME, HALF), "OSU")
    assert asyncio.run(runtime.active_node(pair.cluster())) == A


def test_somebody_elses_hierarchy_that_shares_a_resource_is_named_and_not_stopped():
    pair = split_pair()
    add(pair, "shared", "app", (SQUID, "shared"))
    add(pair, "their-app", "app", ("their-app", "shared"))
    in_service_everywhere(pair)
    with pytest.raises(Refused, match=f"{B}: their-app is tied to Squid's hierarchy"):
        resolve(pair, B)
    assert pair.said == []
    for lcd in pair.lcds.values():
        lcd.instances["their-app"][4] = "OSU"
    resolve(pair, B)
    assert states(pair, A)["their-app"] == "OSU", "nobody else's is started"


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
    words = ["sh", "-c", resolving._SAVED_BEFORE, "sh", str(tmp_path / "4")]
    for _ in range(2):
        subprocess.run(words, check=True)
    assert (tmp_path / "4/access.log").read_text() == "last\n"
    assert not (tmp_path / "4/2").exists()
    (tmp_path / "empty").mkdir()
    words[-1] = str(tmp_path / "empty/1")
    assert subprocess.run(words, check=False, capture_output=True).returncode == 1
