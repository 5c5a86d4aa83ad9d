"""`squid-ha plan --commands`, and what runs where."""

import asyncio
import inspect
import json
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from declaration.load import read
from operations.engines import ENGINES, Runtime
from operations.plan import as_data, rows
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.errors import (
    CommandFailed,
    HostKeyRefused,
    NotVerified,
    Refused,
    SudoRefused,
    Unknown,
    Unreachable,
)
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.journal import NodeJournal
from providers.lifekeeper import actions, checks, grammar, move, planned, runtime, views
from providers.lifekeeper import alone as starting
from providers.lifekeeper.mirror_view import parse_mdstat, seen_from_both, unless_unheard
from providers.roles import MirrorView
from tests.support.terminal import squid_ha
from tests.unit.declaration.conftest import SITES
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_providers import fresh, members, up

OWNER = "squid-ha/lab"
A, B = "proxy-a", "proxy-b"
IN_SYNC = "md0 : active raid1 nbd0[1] sdb[0]\n      5 blocks [2/2] [UU]\n      bitmap: 0/1\n\n/dev/md0\n"


def test_every_line_of_the_product_is_one_that_the_grammar_takes():
    told = rows(site(media="/mnt/sps"), OWNER)
    for row in told:
        if row.command.startswith("/"):
            assert not grammar.parse(shlex.split(row.command)).help
    assert {row.node for row in told} == {"proxy-a", "proxy-b"}
    assert [row.number for row in told] == list(range(1, len(told) + 1))
    assert {"confirmed", "documented", "assumed"} <= {row.certainty for row in told}
    assert json.loads(json.dumps(as_data("x", told)))["commands"][0]["resource"] == "lifekeeper"


def test_what_is_no_line_of_the_products_own_is_printed_with_its_certainty_too():
    told = rows(site(media="/mnt/sps", check_interval="60s", quorum={"hosts": [{"host": "w.lab", "port": 22}]}), OWNER)
    here = {row.command: (row.page, row.certainty, row.source) for row in told if row.node == "proxy-b"}
    assert here["LKCHECKINTERVAL=60"] == ("Setting in /etc/default/LifeKeeper", "documented", ("INTERVAL", "MNT"))
    assert here["QUORUM_MODE=tcp_remote"][1:] == ("documented", ("QUORUM", "STORAGE"))
    assert here["killall lkcheck"][1:] == ("documented", ("MNT",))
    assert here["systemctl enable lifekeeper.service"][1:] == ("assumed", ("NONE",))
    order = ["/mnt/sps/setup", "LKCHECKINTERVAL=60", "killall lkcheck", "systemctl enable lifekeeper.service"]
    assert [each for each in here if each in order] == order


def dk(**given) -> dict[str, tuple[str, str]]:
    """Page of the mirror's lines → the line and its certainty."""
    told = rows(site(replication={"bitmap": "/var/lib/bitmap", **given.pop("replication", {})}, **given), OWNER)
    return {row.page: (row.command, row.certainty) for row in told if "Data Replication" in row.page}


NEW = "Create Resource: Data Replication, Replicate New Filesystem"


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_a_declared_bitmap_is_said_by_the_line_of_the_kits_own_script_that_sios_published(mode):
    line, certainty = dk(replication={"mode": mode})[NEW]
    assert line == (
        "/opt/LifeKeeper/lkadm/subsys/scsi/netraid/bin/create -t datarep-mirror -s intelligent "
        "-p /dev/disk/by-id/scsi-0EXAMPLE_data -h 'Replicate New Filesystem' -n /mnt/mirror -x '' -e '' "
        f"-f /mnt/mirror -y ext3 -a {mode} -b /var/lib/bitmap -z no -w ''"
    )
    assert certainty == "confirmed"
    assert dk()["Extend: Data Replication"][1] == "assumed", "what the kit's own extension takes is unknown"


@pytest.mark.parametrize("given", [{"prefer": "lkcli"}, {"replication": {"hierarchy": "existing"}}])
def test_a_declared_bitmap_is_said_by_lkcli_where_the_site_asks_for_it_or_nothing_else_is_known(given):
    line, certainty = next(each for page, each in dk(**given).items() if page.startswith("Create"))
    assert line.startswith("/opt/LifeKeeper/bin/lkcli resource create dk ")
    assert "--bitmap /var/lib/bitmap" in line
    assert certainty == "assumed"


def test_an_engine_that_is_not_spoken_to_in_lines_is_refused():
    with pytest.raises(Refused, match="pulumi preview"):
        rows(read(SITES[3], "test"), OWNER)


def test_the_command_asks_what_is_to_be_shown():
    result = squid_ha("plan", "x")
    assert "--commands" in str(result.exception)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_engine_plays_the_whole_role(engine):
    role = ENGINES[engine].runtime
    wanted = [name for name in vars(Runtime) if not name.startswith("_")]
    assert wanted
    assert [name for name in wanted if not inspect.iscoroutinefunction(getattr(role, name, None))] == []


def test_the_tree_is_told_bottom_up_with_the_active_node():
    pair = fresh()
    up(pair, members())
    found = asyncio.run(runtime.tree(pair.cluster()))
    assert list(found.states) == ["datarep-mirror", "/mnt/mirror", "qsp-squid", "ip-192.0.2.10"]
    assert found.active == asyncio.run(runtime.active_node(pair.cluster())) == "proxy-a"
    assert found.states["qsp-squid"] == {"proxy-a": "Started", "proxy-b": "Stopped"}


def test_a_switchover_puts_the_root_in_service_on_the_target():
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-b"
    assert pair.said[-1] == ("proxy-b", "/opt/LifeKeeper/bin/perform_action -t ip-192.0.2.10 -a restore")


def half_moved() -> Pair:
    """As after a move that failed: the mirror is in service on the first node, and nothing on top of it."""
    pair = fresh()
    up(pair, members())
    for tag in ("ip-192.0.2.10", "qsp-squid", "/mnt/mirror"):
        pair.lcds["proxy-a"].instances[tag][4] = "OSF" if tag == "/mnt/mirror" else "OSU"
    pair.said.clear()
    return pair


@pytest.mark.parametrize("mirror", ["", "\n      [=>...]  recovery = 12.5% (1/5)"])
def test_what_a_failed_move_has_left_is_put_in_service_where_the_mirror_is_also_while_it_catches_up(
    monkeypatch, mirror
):
    pair = half_moved()
    behind = {"proxy-a": parse_mdstat(IN_SYNC.replace("[UU]", f"[UU]{mirror}")), "proxy-b": MirrorView("target")}

    async def halves(_cluster):
        return behind

    monkeypatch.setattr(move, "mirror", halves)
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-a"))
    assert pair.said[-1] == ("proxy-a", "/opt/LifeKeeper/bin/perform_action -t ip-192.0.2.10 -a restore")
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-a"
    if mirror:
        with pytest.raises(Refused, match="not the same on both nodes"):
            asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))


def test_one_that_does_not_hear_the_other_node_is_told_what_to_do_where_that_one_is_off():
    pair = half_moved()
    pair.lcds["proxy-a"].paths.clear()
    with pytest.raises(Refused, match="does not hear proxy-b") as caught:
        asyncio.run(runtime.switchover(pair.cluster(), "proxy-a"))
    assert "`squid-ha start --alone`" in (caught.value.remedy or "")


NOTED = "note for the alerts that a move was asked for"
FORGOTTEN = "forget that a move was asked for"


def test_a_move_that_was_asked_for_is_noted_for_the_alerts_where_the_service_goes():
    pair = fresh()
    up(pair, members(2))
    pair.said.clear()
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert pair.said[0] == ("proxy-b", NOTED)
    pair.said.clear()
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert pair.said == [], "nothing moves, so nothing would take the note away"
    for each in pair.lcds["proxy-b"].instances.values():
        each[4] = "OSU"
    asyncio.run(runtime.start_alone(alone(pair), "proxy-b"))
    assert pair.said[0] == ("proxy-b", NOTED)


@pytest.mark.parametrize("how", ["switchover", "start_alone"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_move_that_failed_hides_no_failover_from_the_alerts(monkeypatch, how, code):
    """LifeKeeper fails, or says that it is done and nothing has come."""
    pair = fresh()
    up(pair, members(2))
    cluster = alone(pair) if how == "start_alone" else pair.cluster()
    monkeypatch.setattr(pair, "perform_action", lambda _name, _values: (code,))
    for module in (starting, move):
        monkeypatch.setattr(module, "MOVE_LIMIT", 0)
    pair.said.clear()
    with pytest.raises(CommandFailed if code else NotVerified):
        asyncio.run(getattr(runtime, how)(cluster, "proxy-b"))
    assert [line for _, line in pair.said if line in (NOTED, FORGOTTEN)] == [NOTED, FORGOTTEN]
    assert pair.said[-1] == ("proxy-b", FORGOTTEN)


def test_the_failure_of_a_move_is_told_where_the_note_cannot_be_taken_back(monkeypatch):
    pair = fresh()
    up(pair, members(2))

    def before(node, line):
        if line == FORGOTTEN:
            raise Unreachable("the connection broke", node=node)

    pair.before = before
    monkeypatch.setattr(pair, "perform_action", lambda _name, _values: (1,))
    with pytest.raises(CommandFailed):
        asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))


def test_the_note_is_left_only_where_there_are_alerts_and_taken_back(tmp_path):
    for folder, left in ((tmp_path / "without", False), (tmp_path, True)):
        for text, there in ((planned._NOTE, left), (planned._FORGET, False)):
            done = subprocess.run(["sh", "-c", text, "sh", str(folder)], check=True, capture_output=True)
            assert (done.stderr, (folder / "planned").exists()) == (b"", there)


def test_a_switchover_to_a_node_that_hears_nobody_is_refused():
    pair = fresh()
    up(pair, members(2))
    pair.lcds["proxy-a"].paths.clear()
    with pytest.raises(Refused, match="does not hear proxy-a"):
        asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))


def test_a_node_aside_is_noted_and_comes_back():
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.aside(pair.cluster(), "proxy-a"))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-b"
    (notice,) = asyncio.run(runtime.notices(pair.cluster()))
    assert notice.node == "proxy-a"
    assert "`squid-ha node back` starts it" in notice.text
    asyncio.run(runtime.back(pair.cluster(), "proxy-a"))
    assert asyncio.run(runtime.notices(pair.cluster())) == []


@pytest.mark.parametrize(
    ("interval", "before", "told"),
    [
        ("0", "60", "the next `pulumi up` sets the interval back"),
        ("0", "", "the next `pulumi up` sets the interval back"),
        ("'0' # for now", None, "somebody has set LKCHECKINTERVAL=0"),
        ("0", "0", "somebody has set LKCHECKINTERVAL=0"),
        ("60", "60", ""),
        ("60", None, ""),
    ],
)
def test_a_node_on_which_a_cut_off_package_change_left_the_checks_paused_is_noted(interval, before, told):
    pair = fresh()
    up(pair, members(2))
    pair.lcds["proxy-b"].defaults = f"LKCHECKINTERVAL={interval}\n"
    if before is not None:
        asyncio.run(pair.cluster("packages").journal("proxy-b").put({"pending-checks": before}))
    found = asyncio.run(runtime.notices(pair.cluster()))
    assert [(each.kind, each.node) for each in found] == ([("maintenance", "proxy-b")] if told else [])
    assert all("LifeKeeper checks nothing on proxy-b" in each.text and told in each.text for each in found)


def test_paused_checks_of_a_node_that_is_aside_or_tells_nothing_are_no_notice_of_their_own():
    pair = fresh()
    up(pair, members(2))
    for lcd in pair.lcds.values():
        lcd.defaults = "LKCHECKINTERVAL=0\n"
    asyncio.run(runtime.aside(pair.cluster(), "proxy-a"))
    assert [(each.kind, each.node) for each in asyncio.run(runtime.notices(pair.cluster()))] == [
        ("standby", "proxy-a"), ("maintenance", "proxy-b"),
    ]  # fmt: skip

    def answer(command: Command) -> Result:
        if command.label.startswith("read /"):
            raise Unreachable("the connection broke", node="proxy-b")
        return pair.answer("proxy-b", command)

    cluster = fake_cluster(FakeNode("proxy-b", answer))
    assert asyncio.run(runtime.notices(cluster)) == []


def test_paused_checks_are_asked_for_along_with_everything_else():
    """The overview's readings of one moment are one round trip."""
    pair, asked = fresh(), []
    up(pair, members(2))

    class Counting(FakeNode):
        async def batch(self, commands):
            asked.append({str(each) for each in commands})
            return await super().batch(commands)

    node = Counting("proxy-a", lambda command: pair.answer("proxy-a", command))
    cluster = fake_cluster(BatchingNode(node), journals=lambda each, thing: NodeJournal(each, "lab", thing))
    asyncio.run(runtime.notices(cluster))
    lists = {str(each) for each in views.queries()}
    assert asked[0] == {*lists, "read /etc/default/LifeKeeper", "look in other journals for pending-checks"}


def test_what_failed_on_the_standby_is_standby_again_after_a_cleanup():
    pair = fresh()
    up(pair, members())
    pair.lcds["proxy-b"].instances["datarep-mirror"][4] = "OSF"
    pair.said.clear()
    asyncio.run(runtime.cleanup(pair.cluster()))
    assert pair.said == [("proxy-b", "/opt/LifeKeeper/bin/perform_action -t datarep-mirror -a remove")]
    assert pair.lcds["proxy-b"].instances["datarep-mirror"][4] == "OSU"


def test_a_cleanup_starts_nothing_and_says_what_is_still_failed():
    pair = fresh()
    up(pair, members(2))
    pair.lcds["proxy-a"].instances["ip-192.0.2.10"][4] = "OSF"
    pair.said.clear()
    with pytest.raises(NotVerified, match=r"ip-192\.0\.2\.10 on proxy-a"):
        asyncio.run(runtime.cleanup(pair.cluster()))
    for lcd in pair.lcds.values():
        lcd.instances["qsp-squid"][4] = "OSF"
    with pytest.raises(NotVerified, match="qsp-squid on proxy-b") as caught:
        asyncio.run(runtime.cleanup(pair.cluster()))
    assert "`squid-ha switchover STACK --to NODE`" in (caught.value.remedy or "")
    assert pair.said == []


def test_after_maintenance_a_service_that_lifekeeper_finds_part_by_part_is_waited_for(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    squid = pair.lcds["proxy-a"].instances["qsp-squid"]
    squid[4], looks = "OSU", list[bool]()
    judge = actions._found

    def look(seen: Mapping[str, views.View]) -> bool:
        looks.append(judge(seen))
        squid[4] = "ISP"
        return looks[-1]

    monkeypatch.setattr(actions, "_found", look)
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert looks == [False, True]


def sleeping(monkeypatch, waking: Callable[[], None]) -> list[float]:
    """Instead of each wait ``waking`` is called; the seconds of all waits."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        waking()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


def coming_up(monkeypatch, pair: Pair) -> list[float]:
    """Where LifeKeeper runs its lists fail until it has come up (LK_INITDONE), two waits later."""
    down, listed = list(pair.lcds), pair.ins_list
    left = 2

    def waking() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            down.clear()

    def run(name: str, command: Command) -> Result:
        if command.argv[:2] == ("test", "-e") and name in down:
            return Result(command, 1, "", "")
        return Pair.run(pair, name, command)

    monkeypatch.setattr(pair, "run", run)
    monkeypatch.setattr(pair, "ins_list", lambda name, values: (2, "", "?") if name in down else listed(name, values))
    return sleeping(monkeypatch, waking)


def test_a_node_is_back_once_lifekeeper_there_has_come_up(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.aside(pair.cluster(), A))
    waited = coming_up(monkeypatch, pair)
    asyncio.run(runtime.back(pair.cluster(), A))
    assert len(waited) == 2
    assert asyncio.run(runtime.notices(pair.cluster())) == []


def test_a_node_on_which_lifekeeper_comes_up_after_a_boot_is_waited_for_and_not_started_again(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    pair.said.clear()
    coming_up(monkeypatch, pair)
    asyncio.run(runtime.back(pair.cluster(), A))
    assert pair.said == []


def test_maintenance_mode_ends_once_lifekeeper_has_come_up(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    coming_up(monkeypatch, pair)
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert asyncio.run(runtime.active_node(pair.cluster())) == A


def without_lists(pair: Pair) -> Callable[[], None]:
    """LifeKeeper's lists are empty; what puts back what was in them."""
    had = {name: (lcd.instances, lcd.ties) for name, lcd in pair.lcds.items()}
    for lcd in pair.lcds.values():
        lcd.instances, lcd.ties = {}, []

    def put_back() -> None:
        for name, lcd in pair.lcds.items():
            lcd.instances, lcd.ties = had[name]

    return put_back


def test_after_maintenance_a_service_that_lifekeeper_does_not_know_of_yet_is_waited_for(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    waited = sleeping(monkeypatch, without_lists(pair))
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert len(waited) == 1
    assert asyncio.run(runtime.active_node(pair.cluster())) == A


def test_after_maintenance_a_service_that_lifekeeper_never_tells_of_is_no_failure(monkeypatch):
    monkeypatch.setattr(actions, "FOUND_WITHIN", 0.0)
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    without_lists(pair)
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert all(lcd.running for lcd in pair.lcds.values())


@pytest.mark.parametrize("on", [True, False])
def test_a_node_that_is_off_holds_up_no_other_in_maintenance_mode(on: bool):
    pair = fresh()
    up(pair, members(2))
    if not on:
        asyncio.run(runtime.maintenance(pair.cluster(), on=True))

    def gone(_command):
        raise Unreachable("no route to host", node="proxy-a")

    survivor = FakeNode("proxy-b", lambda command: pair.answer("proxy-b", command))
    with pytest.raises(Unreachable):
        asyncio.run(runtime.maintenance(fake_cluster(FakeNode("proxy-a", gone), survivor), on=on))
    assert pair.lcds["proxy-b"].running is not on


def interrupted(monkeypatch, *, effective: bool = True) -> tuple[Pair, list[str]]:
    """A pair that an interrupt meets in the middle of the second node's stop, and where it was stopped."""
    monkeypatch.setattr(actions, "STOPS_WITHIN", 0.0)
    pair = fresh()
    up(pair, members(2))
    stops: list[str] = []

    def cut(name: str, line: str) -> None:
        if "lkstop" in line:
            stops.append(name)
            if len(stops) == 2:
                raise asyncio.CancelledError

    setattr(pair, "after" if effective else "before", cut)
    return pair, stops


@pytest.mark.parametrize("effective", [True, False])
def test_an_interrupt_on_the_way_into_maintenance_mode_leaves_lifekeeper_running_on_both(effective: bool, monkeypatch):
    pair, stops = interrupted(monkeypatch, effective=effective)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    assert stops == ["proxy-a", "proxy-b"]
    assert [lcd.running for lcd in pair.lcds.values()] == [True, True]
    assert "proxy-a: interrupted, so LifeKeeper is started again" in pair.progress


def test_after_an_interrupt_no_nodes_start_waits_for_another_nodes(monkeypatch):
    """It takes minutes, and whoever interrupts waits for seconds."""
    pair, _stops = interrupted(monkeypatch)
    both = asyncio.Barrier(2)

    class Slow(FakeNode):
        async def run(self, command):
            if "start" in command.argv:
                await asyncio.wait_for(both.wait(), 5)
            return await super().run(command)

    nodes = [Slow(name, lambda command, name=name: pair.answer(name, command)) for name in pair.lcds]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(runtime.maintenance(fake_cluster(*nodes), on=True))
    assert [lcd.running for lcd in pair.lcds.values()] == [True, True]


def test_after_an_interrupt_a_node_that_does_not_answer_keeps_lifekeeper_stopped_on_no_other(monkeypatch):
    pair, stops = interrupted(monkeypatch)

    def answer(name: str, command):
        if name == "proxy-a" and len(stops) == 2:
            raise Unreachable("no route to host", node=name)
        return pair.answer(name, command)

    nodes = [FakeNode(name, lambda command, name=name: answer(name, command)) for name in pair.lcds]
    with pytest.raises(Unreachable, match="proxy-a"):
        asyncio.run(runtime.maintenance(fake_cluster(*nodes), on=True))
    assert [lcd.running for lcd in pair.lcds.values()] == [False, True]


def in_step(phase: int = 3) -> Pair:
    """The service runs on proxy-a, the mirror is the same on both nodes."""
    pair = fresh()
    up(pair, members(phase))
    for lcd in pair.lcds.values():
        lcd.mdstat = IN_SYNC
    pair.said.clear()
    return pair


def alone(pair) -> Cluster:
    """proxy-a goes off as it was, and nobody there answers any more."""

    def gone(_command):
        raise Unreachable("no route to host", node="proxy-a")

    pair.lcds["proxy-a"].running = False
    survivor = FakeNode("proxy-b", lambda command: pair.answer("proxy-b", command))
    return fake_cluster(FakeNode("proxy-a", gone), survivor, journals=pair.journals)


def test_where_no_node_can_tell_nobody_guesses():
    pair = fresh()
    pair.lcds["proxy-b"].installed = False
    told = r"on no node: proxy-a: LifeKeeper does not run; proxy-b: LifeKeeper is not installed"
    with pytest.raises(Unknown, match=told) as e:
        asyncio.run(runtime.tree(pair.cluster()))
    assert "lkcli start" in e.value.remedy


@pytest.mark.parametrize("trouble", [HostKeyRefused, SudoRefused])
@pytest.mark.parametrize("ask", [runtime.cleanup, runtime.active_node, lambda cluster: runtime.aside(cluster, A)])
def test_where_no_node_can_be_asked_each_one_says_why_and_what_to_do(ask, trouble):
    def refuses(name):
        def answer(_command):
            raise trouble("nobody is let in", node=name, remedy=f"mend {name}")

        return FakeNode(name, answer)

    with pytest.raises(Unknown) as told:
        asyncio.run(ask(fake_cluster(refuses(A), refuses(B))))
    assert told.value.message.endswith(f"{A}: nobody is let in → mend {A}; {B}: nobody is let in → mend {B}")
    assert told.value.remedy == "", "starting LifeKeeper is no remedy for it"


def test_a_mirror_is_read_from_its_md_device():
    assert parse_mdstat(IN_SYNC).whole
    behind = parse_mdstat(IN_SYNC.replace("[UU]", "[U_]\n      [=>...]  recovery = 12.5% (1/5)"))
    assert (behind.whole, behind.percent) == (False, 12.5)
    assert parse_mdstat(IN_SYNC.replace("[UU]", "[U_]")).connection == "broken"
    assert parse_mdstat(IN_SYNC.replace("[UU]", "[UU]\n      [=>...]  check = 12.5% (1/5)")).whole
    assert not parse_mdstat("/dev/sdb\n").whole


@pytest.mark.parametrize(("told", "percent"), [("resync = 12.5% (1/5)", 12.5), ("resync=DELAYED", None)])
def test_a_mirror_of_two_members_that_is_being_resynchronised_is_not_whole(told, percent):
    """After a crash md has both, `[UU]`, and does not know which blocks differ."""
    resynchronising = parse_mdstat(IN_SYNC.replace("[UU]", f"[UU]\n      [=>...]  {told}"))
    assert (resynchronising.whole, resynchronising.percent) == (False, percent)
    assert (resynchronising.connection, resynchronising.peer_data) == ("resynchronising", "behind")


def test_a_target_has_what_its_source_says():
    source = parse_mdstat(IN_SYNC.replace("[UU]", "[U_]\n      [=>...]  recovery = 12.5% (1/5)"))
    target = MirrorView("target", connection="OSU", data="Target", peer_data="-")
    behind = seen_from_both({"proxy-a": source, "proxy-b": target})
    assert behind["proxy-a"] == source
    assert (behind["proxy-b"].data, behind["proxy-b"].peer_data, behind["proxy-b"].percent) == (
        "behind", "up to date", 12.5
    )  # fmt: skip
    whole = seen_from_both({"proxy-a": parse_mdstat(IN_SYNC), "proxy-b": target})
    assert all(view.whole for view in whole.values()), "a mirror in step is whole as both nodes see it"
    failed = replace(target, connection="OSF")
    assert not seen_from_both({"proxy-a": parse_mdstat(IN_SYNC), "proxy-b": failed})["proxy-b"].whole
    assert seen_from_both({"proxy-b": target}) == {"proxy-b": target}


def test_a_source_that_does_not_hear_its_target_says_nothing_of_its_data():
    """md calls both halves whole until a write to the lost one has failed."""
    whole = parse_mdstat(IN_SYNC)
    lost = unless_unheard(whole, ["proxy-b"])
    assert (lost.connected, lost.data, lost.peer_data, lost.percent) == (False, "up to date", "unknown", None)
    assert lost.connection == "connected, but proxy-b is not heard"
    assert unless_unheard(whole, []) == whole
    target = MirrorView("target", connection="OSU", data="Target", peer_data="-")
    assert unless_unheard(target, ["proxy-a"]) == target


def test_whether_a_source_hears_its_target_is_what_lifekeeper_there_tells():
    pair = fresh()
    up(pair, members())
    assert "not heard" not in asyncio.run(runtime.mirror(pair.cluster()))["proxy-a"].connection
    pair.lcds["proxy-a"].paths.clear()
    assert asyncio.run(runtime.mirror(pair.cluster()))["proxy-a"].connection.endswith("proxy-b is not heard")


def test_a_node_that_does_not_tell_whether_it_checks_is_not_taken_for_one_that_does():
    def answer(command):
        raise CommandFailed("proxy-a", str(command), 1, "cannot be read")

    with pytest.raises(CommandFailed):
        asyncio.run(checks.paused(fake_cluster(FakeNode("proxy-a", answer))))


def test_in_maintenance_mode_nothing_is_known_to_run_and_nothing_is_moved():
    pair = fresh()
    up(pair, members())
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    with pytest.raises(Refused, match="maintenance mode"):
        asyncio.run(runtime.active_node(pair.cluster()))
    with pytest.raises(Unknown, match="maintenance mode"):
        asyncio.run(runtime.tree(pair.cluster()))
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-a"


def foreign(pair, tag, kind=("gen", "qsp"), state="ISP"):
    """A resource of another hierarchy, first in every list."""
    for lcd in pair.lcds.values():
        lcd.instances = {tag: [*kind, tag, "", state, "intelligent"], **lcd.instances}
        lcd.priorities[tag] = 7


def test_another_services_hierarchy_is_never_taken_for_squids():
    pair = fresh()
    up(pair, members(2))
    foreign(pair, "qsp-squidguard")
    pair.said.clear()
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-b"
    assert all("squidguard" not in line for _, line in pair.said)


def test_of_two_that_may_be_squids_none_is_touched():
    pair = fresh()
    up(pair, members(tags={"squid": "my-squid"}))
    foreign(pair, "other-squid")
    with pytest.raises(Unknown, match="my-squid, other-squid"):
        asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))


def test_the_customary_tag_makes_nobody_elses_resource_squids():
    pair = fresh()
    up(pair, members(tags={"squid": "my-squid"}))
    foreign(pair, "qsp-squid")
    pair.said.clear()
    for act in (runtime.switchover, runtime.aside):
        with pytest.raises(Unknown, match="my-squid, qsp-squid"):
            asyncio.run(act(pair.cluster(), "proxy-b"))
    assert pair.said == []


def test_of_two_with_the_word_in_their_tags_squids_is_the_one_that_protects_it():
    pair = fresh()
    up(pair, members(2, tags={"squid": "my-squid"}))
    foreign(pair, "qsp-squid")
    for lcd in pair.lcds.values():
        lcd.instances["my-squid"][2:4] = "QSP-squid", "squid"
        lcd.instances["qsp-squid"][2:4] = "QSP-squid2", "squid2"
    pair.said.clear()
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-b"
    said = [line for _, line in pair.said if line.startswith("/opt/LifeKeeper/")]
    assert said == ["/opt/LifeKeeper/bin/perform_action -t ip-192.0.2.10 -a restore"]
    assert pair.lcds["proxy-a"].instances["qsp-squid"][4] == "ISP"


@pytest.mark.parametrize("runs_on", ["proxy-a", "proxy-b"])
@pytest.mark.parametrize("state", ["ISP", "ISU"])
def test_a_node_with_somebody_elses_resource_in_service_is_not_put_aside(runs_on, state):
    pair = fresh()
    up(pair, members(2))
    asyncio.run(runtime.switchover(pair.cluster(), runs_on))
    foreign(pair, "ip-other", kind=("comm", "ip"), state="OSU")
    pair.lcds["proxy-a"].instances["ip-other"][4] = state
    pair.said.clear()
    with pytest.raises(Refused, match=r"proxy-a: .*ip-other") as refused:
        asyncio.run(runtime.aside(pair.cluster(), "proxy-a"))
    assert "qsp-squid" not in str(refused.value)
    assert "move them to the other node first" in (refused.value.remedy or "")
    assert pair.said == []


def test_what_is_out_of_service_or_tied_to_squid_keeps_no_node_from_being_put_aside():
    pair = fresh()
    up(pair, members(2))
    for tag, state in (("osu-other", "OSU"), ("osf-other", "OSF"), ("above", "ISP"), ("below", "ISP")):
        foreign(pair, tag, kind=("gen", "app"), state=state)
    for lcd in pair.lcds.values():
        lcd.ties += [("above", "qsp-squid"), ("qsp-squid", "below")]
        for tag in ("above", "below"):
            lcd.instances[tag][4] = lcd.instances["qsp-squid"][4]
    asyncio.run(runtime.aside(pair.cluster(), "proxy-a"))
    assert not pair.lcds["proxy-a"].running


def test_maintenance_mode_leaves_somebody_elses_resources_running():
    pair = fresh()
    up(pair, members(2))
    foreign(pair, "ip-other", kind=("comm", "ip"))
    asyncio.run(runtime.maintenance(pair.cluster(), on=True))
    assert not any(lcd.running for lcd in pair.lcds.values())


def test_another_services_mirror_is_no_split_brain():
    pair = fresh()
    up(pair, members())
    foreign(pair, "datarep-other", kind=("scsi", "netraid"))
    assert asyncio.run(runtime.split_brain(pair.cluster())) is None


def test_a_node_that_does_not_answer_is_not_said_to_be_aside():
    pair = fresh()
    up(pair, members(2))
    cluster = pair.cluster()

    def off(_command):
        raise Unreachable("no route to host", node="proxy-b")

    node = cluster.nodes["proxy-b"]
    assert isinstance(node, FakeNode)
    node.answer = off
    with pytest.raises(Refused, match="does not answer"):
        asyncio.run(runtime.aside(cluster, "proxy-b"))
