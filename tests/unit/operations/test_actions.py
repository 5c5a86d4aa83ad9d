"""The commands that act on a running site: what they ask the engine for, what they print, how they end."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import operations.cli._ask as ask
from declaration.site import Site
from operations import engines, switchover
from operations import site as sites
from operations.actions import do, records, refuse_peer, save, split
from operations.cli import _act
from operations.cli._exit import UNREACHABLE, code_of
from operations.drill.armed import refuse_aside
from providers.connection.access import ConnectionSettings
from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result, command
from providers.connection.errors import (
    CommandFailed,
    HostError,
    HostKeyRefused,
    Locked,
    LoginRefused,
    NotVerified,
    Refused,
    SudoRefused,
    TimedOut,
    Unknown,
    Unreachable,
)
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.loop import run_sync
from providers.connection.ssh import SshNode
from providers.host import waiting
from providers.roles import UP_TO_DATE, MirrorView, Notice, SplitBrain
from tests.support.terminal import squid_ha
from tests.unit.local import LocalNode

APART = MirrorView("source", connected=False, connection="StandAlone", data=UP_TO_DATE)
WHOLE = MirrorView("source", connected=True, connection="Connected", data=UP_TO_DATE, peer_data=UP_TO_DATE)


@dataclass
class Tree:
    """A service that runs on one node, whole unless its address does not."""

    active: str
    address: str = "Started"

    @property
    def states(self) -> Mapping[str, Mapping[str, str]]:
        return {"squid": {self.active: "Started"}, "address": {self.active: self.address}}


@dataclass
class Engine:
    """Remembers what it was asked for."""

    asked: list[str] = field(default_factory=list[str])
    split: SplitBrain | None = None
    view: MirrorView = APART
    hosts: Any = None
    told: list[Notice] = field(default_factory=list[Notice])
    address: str = "Started"
    moving: list[bool] = field(default_factory=list[bool])
    """What is told of whether it settles; it has, once nothing is left to tell."""

    async def wait_settled(self, cluster: Cluster, limit: float = 120) -> bool:
        assert limit > 120, "two that serve stop within the limits of their members"
        await asyncio.sleep(0.02)
        return self.moving.pop(0) if self.moving else True

    async def tree(self, cluster: Cluster) -> Tree:
        return Tree("qsp-b" if "left" in self.asked else "qsp-a", self.address)

    async def active_node(self, cluster: Cluster) -> str:
        return "qsp-a"

    async def notices(self, cluster: Cluster) -> list[Notice]:
        return self.told

    async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
        return dict.fromkeys(cluster.nodes, self.view)

    async def split_brain(self, cluster: Cluster) -> SplitBrain | None:
        assert not self.moving, "asked while the cluster was on its way"
        return self.split

    def __getattr__(self, name: str) -> Any:
        async def asked(cluster: Cluster, *words: object, **named: object) -> None:
            self.asked.append(" ".join(map(str, [name, *words, *named.values()])))

        if name.startswith("_"):
            raise AttributeError(name)
        return asked


@dataclass
class Hosts:
    site: Site
    nodes: list[FakeNode]
    stack: str = "lab"

    def cluster(self, progress: object) -> Cluster:
        return fake_cluster(*self.nodes)

    def everybody(self, progress: object) -> Cluster:
        return fake_cluster(*self.nodes)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return run_sync(work)


def off(command: Command) -> Result:
    raise Unreachable("no route to host", node="qsp-b")


@pytest.fixture
def engine(site: Site, monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()

    @dataclass
    class Played:
        runtime: Engine

    hosts = Hosts(site, [FakeNode("qsp-a"), FakeNode("qsp-b")])
    found.hosts = hosts
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    for module in (engines, do, split, switchover):
        monkeypatch.setattr(module, "engine_of", lambda site: Played(found))
    monkeypatch.setattr("operations.actions.peer.engine_of", lambda site: Played(found))
    return found


def run(*words: str, typed: str = ""):
    return squid_ha(*words, typed=typed)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("node", "aside", "lab", "qsp-b"), "aside qsp-b"),
        (("node", "back", "lab", "qsp-b"), "back qsp-b"),
        (("maintenance", "on", "lab"), "maintenance True"),
        (("maintenance", "off", "lab"), "maintenance False"),
        (("cleanup", "lab"), "cleanup"),
    ],
)
def test_an_action_is_the_engines_and_its_outcome_is_told(engine: Engine, words: tuple[str, ...], asked: str) -> None:
    engine.told = [Notice("standby", "qsp-b is aside")]
    shown = run(*words)
    assert (shown.exit_code, engine.asked) == (0, [asked])
    assert "The service runs on qsp-a." in shown.stdout
    assert "notice: qsp-b is aside" in shown.stderr
    document = json.loads(run(*words, "--json").stdout)
    assert (document["active"], document["whole"]) == ("qsp-a", True)
    assert document["notices"] == ["qsp-b is aside"]
    assert document["action"] == " ".join(words[: words.index("lab")])


@pytest.mark.parametrize("words", [("node", "back", "lab", "qsp-b"), ("maintenance", "off", "lab"), ("cleanup", "lab")])
def test_a_service_that_runs_in_part_is_not_said_to_run(engine: Engine, words: tuple[str, ...]) -> None:
    engine.address = "Stopped"
    shown = run(*words)
    assert shown.exit_code == 0, "the action itself worked"
    assert "The service runs on" not in shown.stdout
    assert "Only a part of the service runs on qsp-a: see `squid-ha status lab`." in shown.stdout
    document = json.loads(run(*words, "--json").stdout)
    assert (document["active"], document["whole"]) == ("qsp-a", False)


async def test_what_is_there_afterwards_is_asked_for_at_once(site: Site, engine: Engine) -> None:
    class Asking(Engine):
        async def active_node(self, cluster: Cluster) -> str:
            await cluster.node("qsp-a").run(command("state", reads=True))
            return "qsp-a"

        async def tree(self, cluster: Cluster) -> Tree:
            await cluster.node("qsp-a").run(command("state", reads=True))
            return Tree("qsp-a")

    node = FakeNode("qsp-a")
    outcome = await do._afterwards(fake_cluster(node), cast("Any", Asking()))
    assert (outcome, [str(each) for each in node.commands]) == (("qsp-a", True, []), ["state"])


@pytest.mark.parametrize(
    ("words", "refused", "stopped"),
    [
        (("node", "aside", "lab", "qsp-b"), True, False),
        (("node", "back", "lab", "qsp-b"), False, True),
        (("maintenance", "on", "lab"), True, False),
        (("maintenance", "off", "lab"), False, False),
        (("cleanup", "lab"), False, False),
    ],
)
def test_each_command_knows_the_timer_of_a_killed_drill(
    engine: Engine, words: tuple[str, ...], *, refused: bool, stopped: bool
) -> None:
    timer = "squid-ha-drill-aside.timer"
    node = FakeNode("qsp-b", lambda said: f"{timer} loaded active waiting x\n" if "list-units" in str(said) else "")
    engine.hosts.nodes[1] = node
    shown = run(*words)
    assert isinstance(shown.exception, Refused) is refused
    assert bool(engine.asked) is not refused
    assert any(timer in str(each) for each in node.written) is stopped


async def test_a_node_without_root_keeps_nobody_from_acting_and_what_is_not_known_of_it_is_told() -> None:
    def rootless(command: Command) -> str:
        raise SudoRefused("user ops may not become root by sudo", node="qsp-b")

    told: list[str] = []
    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", rootless), progress=told.append)
    await refuse_aside(cluster, "lab")
    (line,) = told
    assert line.endswith("nobody can tell: qsp-b: user ops may not become root by sudo")


@pytest.mark.parametrize("words", [("node", "aside", "lab", "qsp-c"), ("switchover", "lab", "--to", "qsp-c")])
def test_a_node_that_there_is_not_is_a_wrong_call(engine: Engine, words: tuple[str, ...]) -> None:
    shown = run(*words)
    assert type(shown.exception).__name__ == "Misused"
    assert engine.asked == []


async def test_an_action_waits_for_nobody_who_is_off_but_for_another_writer(site: Site, engine: Engine) -> None:
    async def locked(*, without_lost: bool = False) -> None:
        assert without_lost
        raise Locked("another run is changing this cluster")

    async def unreachable(*, without_lost: bool = False) -> None:
        assert without_lost
        raise HostKeyRefused("another host key", node="qsp-b", remedy="remove the\nold one")

    async def work() -> None:
        engine.asked.append("work")

    told: list[str] = []
    cluster = replace(fake_cluster(FakeNode("qsp-a"), progress=told.append), hold=unreachable)
    await do.act(cluster, site, "lab", "cleanup", work)
    assert len(told) == 1
    assert told[0].startswith("no node can be reached, so nobody is kept from")
    assert told[0].endswith(": qsp-b: another host key → remove the old one"), "why is not told, or what to do"
    with pytest.raises(Locked):
        await do.act(replace(cluster, hold=locked), site, "lab", "cleanup", work)
    assert engine.asked == ["work"]


# Alone


async def test_a_peer_that_answers_is_not_off() -> None:
    with pytest.raises(Refused, match="qsp-b answers over SSH"):
        await refuse_peer(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")), "qsp-a")
    await refuse_peer(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", off)), "qsp-a")


@pytest.mark.parametrize("trouble", [HostKeyRefused, LoginRefused])
async def test_nor_is_one_that_lets_nobody_in(trouble: type[Unreachable]) -> None:
    def answers(_command: Command) -> str:
        raise trouble("another host key than the one that is known", node="qsp-b")

    with pytest.raises(Refused, match="qsp-b answers, so it is not off, although"):
        await refuse_peer(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", answers)), "qsp-a")


async def test_a_peer_that_could_not_be_asked_is_neither_off_nor_does_it_answer(tmp_path: Path) -> None:
    peer = SshNode(ConnectionSettings("qsp-b", "192.0.2.12", known_hosts=str(tmp_path / "known_hosts")))
    nodes = {"qsp-a": FakeNode("qsp-a"), "qsp-b": peer}
    told = r"(?s)^qsp-a: nobody can tell whether qsp-b is off.*is not in .*ssh-keyscan"
    with pytest.raises(Unknown, match=told) as error:
        await refuse_peer(replace(fake_cluster(FakeNode("qsp-a")), nodes=nodes), "qsp-a")
    assert code_of(error.value) == UNREACHABLE


async def test_a_peer_whose_connection_broke_had_answered() -> None:
    def breaks(_command: Command) -> str:
        raise Unreachable("the connection broke during `true`", node="qsp-b").having(answered=True)

    with pytest.raises(Refused, match="qsp-b answers, so it is not off, although"):
        await refuse_peer(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", breaks)), "qsp-a")


async def test_where_it_cannot_be_told_who_serves_nobody_is_said_to_serve_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent(Engine):
        async def active_node(self, cluster: Cluster) -> str:
            raise Refused("the engine is stopped on all nodes")

    engine = Silent()
    monkeypatch.setattr(do, "engine_of", lambda _site: SimpleNamespace(runtime=engine))

    async def nothing() -> None:
        """The action itself worked."""

    outcome = await do.act(fake_cluster(FakeNode("qsp-a")), cast("Any", None), "lab", "maintenance on", nothing)
    assert (outcome.active, outcome.told) == (None, False)
    assert _act._where(outcome) == "Which node runs the service cannot be told now."


@pytest.mark.parametrize(
    ("words", "typed", "started"),
    [
        ((), "qsp-b is off\n", True),
        ((), "yes\n", False),
        ((), "\n", False),
        (("--peer-is-off",), "", True),
    ],
)
def test_start_alone_takes_a_sentence_for_an_answer(
    engine: Engine, words: tuple[str, ...], typed: str, started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.hosts.nodes[1].answer = off
    monkeypatch.setattr(ask, "somebody", lambda: True)
    shown = run("start", "--alone", "lab", "qsp-a", *words, typed=typed)
    assert (engine.asked == ["start_alone qsp-a"]) is started
    assert isinstance(shown.exception, Refused) is not started


def test_start_alone_is_refused_where_nobody_can_be_asked_or_the_peer_answers(engine: Engine) -> None:
    shown = run("start", "--alone", "lab", "qsp-a", "--peer-is-off")
    assert "answers over SSH" in str(shown.exception)
    engine.hosts.nodes[1].answer = off
    shown = run("start", "--alone", "lab", "qsp-a")
    assert "--peer-is-off" in str(shown.exception)
    assert engine.asked == []


def test_a_node_that_is_declared_away_is_asked_whether_it_is_off(engine: Engine) -> None:
    declared = engine.hosts.site
    nodes = [declared.nodes[0], declared.nodes[1].model_copy(update={"away": True})]
    engine.hosts.site = declared.model_copy(update={"nodes": nodes})
    engine.hosts.cluster = lambda progress: fake_cluster(engine.hosts.nodes[0])
    shown = run("start", "--alone", "lab", "qsp-a", "--peer-is-off")
    assert "answers over SSH" in str(shown.exception)
    shown = run("start", "--alone", "lab", "qsp-b", "--peer-is-off")
    assert "declared away, so nothing is started on it" in str(shown.exception)
    assert engine.asked == []
    engine.hosts.nodes[1].answer = off
    assert run("start", "--alone", "lab", "qsp-a", "--peer-is-off").exit_code == 0


def test_ctrl_c_at_a_question_is_an_interruption_and_the_end_of_input_no_answer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.hosts.nodes[1].answer = off
    monkeypatch.setattr(ask, "somebody", lambda: True)
    for raised, seen in ((KeyboardInterrupt, KeyboardInterrupt), (EOFError, Refused)):

        def answer(*_: object, raised: type[BaseException] = raised) -> str:
            raise raised

        monkeypatch.setattr("builtins.input", answer)
        with pytest.raises(seen):
            ask.typed("Is it off?", "qsp-b is off", "--peer-is-off")


@pytest.mark.parametrize("words", [("switchover", "lab"), ("node", "aside", "lab", "qsp-b"), ("cleanup", "lab")])
def test_who_interrupts_is_told_that_the_nodes_carry_out_what_they_were_told(
    words: tuple[str, ...], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(work: Coroutine[Any, Any, Any]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(engine.hosts, "run", interrupted)
    done = squid_ha(*words)
    assert done.exit_code == 130
    assert "`squid-ha status lab` shows it" in " ".join(done.stderr.split())


# Split brain


def test_without_a_split_brain_nothing_is_saved_or_thrown_away(engine: Engine) -> None:
    engine.view = WHOLE
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-b")
    assert (shown.exit_code, engine.asked) == (0, [])
    assert "There is no split brain" in shown.stdout
    engine.view = APART
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-b", "--yes")
    assert isinstance(shown.exception, Refused)
    assert engine.asked == []


def test_both_logs_are_saved_before_anybody_is_asked_and_nothing_is_thrown_away_without_an_answer(
    engine: Engine,
) -> None:
    engine.split = SplitBrain({"qsp-a": "detected"})
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-b")
    assert "nobody is there to be asked" in str(shown.exception)
    assert [each.split()[0] for each in engine.asked] == ["save_logs", "save_logs"]
    assert "qsp-b (victim)" in shown.stderr
    engine.asked.clear()
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-b", "--yes", "--json")
    assert [each.split()[0] for each in engine.asked] == ["save_logs", "save_logs", "resolve"]
    document = json.loads(shown.stdout)
    assert (document["victim"], document["survivor"], document["resolved"]) == ("qsp-b", "qsp-a", True)


async def test_a_cluster_that_is_still_moving_is_waited_for_before_anybody_asks_for_the_split_brain(
    site: Site, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(waiting, "REPORT_EVERY", 0.01)
    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), progress=told.append)
    engine.split, engine.moving = SplitBrain({"qsp-a": "detected"}), [True]
    assert await save(cluster, site, "qsp-b")
    assert told[0] == "Waiting until the cluster has settled (0 s)"
    engine.asked.clear()
    engine.moving = [False]
    with pytest.raises(TimedOut, match=r"does not come to rest(.|\n)*nothing was saved(.|\n)*squid-ha status"):
        await save(cluster, site, "qsp-b")
    assert engine.asked == []


async def test_nothing_is_waited_for_where_no_node_can_be_asked(site: Site, engine: Engine) -> None:
    def unknown(name: str) -> FakeNode:
        def refuse(_command: Command) -> str:
            raise HostKeyRefused("its host key is not known", node=name, remedy=f"accept that of {name}")

        return FakeNode(name, refuse)

    engine.moving = [True]
    with pytest.raises(Unreachable) as error:
        await save(fake_cluster(unknown("qsp-a"), unknown("qsp-b")), site, "qsp-b")
    assert engine.moving, "it was waited for"
    both = [f"{name}: its host key is not known\n  → accept that of {name}" for name in ("qsp-a", "qsp-b")]
    assert str(error.value) == ";\n".join(both)
    with pytest.raises(Refused, match="this is no split brain"):
        await save(fake_cluster(unknown("qsp-a"), FakeNode("qsp-b")), site, "qsp-b")
    assert engine.moving == [], "one that answers may tell that something moves"


@pytest.mark.parametrize("grows", [True, False])
def test_what_an_active_victim_records_until_the_service_has_left_it_is_saved_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *, grows: bool
) -> None:
    stamps = iter(["first", "last"])
    monkeypatch.setattr(split, "_new_folder", lambda cluster: f"/saved/{next(stamps)}")

    async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
        engine.asked.append(f"{victim} has been left")
        await left()
        engine.asked.append("throw away")

    async def lines(node: FakeNode, _folder: str, _parts: object) -> tuple[Counter[bytes], bool]:
        more = f"{node.name} has been left" in engine.asked or (node.name == "qsp-a" and not grows)
        recorded = 7 if more else 6
        return Counter(f"{node.name} {number}".encode() for number in range(recorded)), True

    engine.split = SplitBrain({"qsp-a": "detected"})
    monkeypatch.setattr(engine, "resolve", resolve, raising=False)
    monkeypatch.setattr(records, "lines", lines)
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes", "--json")
    order = ["save_logs", "save_logs", "qsp-a", "save_logs", "throw"]
    assert [each.split()[0] for each in engine.asked] == order
    assert engine.asked[3].startswith("save_logs qsp-a "), "the other half loses nothing"
    saved = json.loads(shown.stdout)["saved"]
    assert {half["node"]: half["only_here"] for half in saved} == {"qsp-a": 7, "qsp-b": 6}
    assert not any("first" in half for half in saved), "records have clients' addresses in them"
    said = "qsp-a were saved once more after the service had left it, with 1 more records that only it has"
    assert (said if grows else "after the service had left it:") in shown.stderr
    assert "Only on qsp-a, the first 5:\n  qsp-a 0\n" in shown.stderr


def leaving(engine: Engine, monkeypatch: pytest.MonkeyPatch, *, then: Exception | None = None) -> list[str]:
    """An engine whose victim has to be left, and the folders that were saved."""
    folders: list[str] = []

    async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
        engine.asked.append("left")
        await left()
        if then is not None:
            raise then

    async def save_logs(cluster: Cluster, node: str, source: str, to: str) -> None:
        folders.append(f"{node} {to}")
        if "left" in engine.asked and then is None:
            raise Refused("the logs cannot be saved: 9 KiB are needed", node=node, remedy="make room there first")

    engine.split = SplitBrain({"qsp-a": "detected"})
    monkeypatch.setattr(engine, "resolve", resolve, raising=False)
    monkeypatch.setattr(engine, "save_logs", save_logs, raising=False)
    return folders


@pytest.mark.parametrize(
    "then",
    [
        None,
        Refused("the volume is in use here", node="qsp-a"),
        TimedOut("the copying to qsp-a did not begin"),
        CommandFailed("qsp-a", "drbdadm connect", 1, "no such resource"),
        Unreachable("no route to host", node="qsp-a"),
    ],
)
def test_once_the_service_has_left_the_victim_every_error_says_so_and_what_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, then: HostError | None
) -> None:
    """`Refused` would say that nothing was changed."""
    stamps = iter(["first", "last"])
    monkeypatch.setattr(split, "_new_folder", lambda cluster: f"/saved/{next(stamps)}")
    leaving(engine, monkeypatch, then=then)
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    assert isinstance(shown.exception, NotVerified)
    saved = "first" if then is None else "last"
    assert shown.exception.message.startswith(
        f"the service has left qsp-a and runs on qsp-b, and the logs are saved (qsp-a: /saved/{saved}, qsp-b: "
        "/saved/first), but the split brain is not ended: "
    )
    assert shown.exception.message.endswith(then.message if then else "9 KiB are needed")
    assert "then run `squid-ha resolve split-brain lab --victim qsp-a` again, which goes on" in shown.exception.remedy


def test_it_is_said_too_where_the_move_away_from_the_victim_ends_by_an_error_and_has_come_about(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(cluster: Cluster, victim: str, left: Callable[[], Awaitable[None]]) -> None:
        engine.asked.append(where)
        raise TimedOut("qsp-a does not take part again")

    engine.split = SplitBrain({"qsp-a": "detected"})
    monkeypatch.setattr(engine, "resolve", resolve, raising=False)
    where = "still there"
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    assert isinstance(shown.exception, TimedOut)
    where = "left"
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    assert "the service has left qsp-a and runs on qsp-b" in str(shown.exception)


def test_where_the_service_is_may_not_be_known_once_it_has_left_the_victim(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tree(cluster: Cluster) -> Tree:
        raise Unknown("no node can tell")

    leaving(engine, monkeypatch, then=TimedOut("the copying did not begin"))
    monkeypatch.setattr(engine, "tree", tree)
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    assert "has left qsp-a and where it runs cannot be told now (no node can tell)" in str(shown.exception)


def test_the_last_copy_is_compared_with_what_was_saved_of_the_other_half(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = iter(["first", "last"])
    monkeypatch.setattr(split, "_new_folder", lambda cluster: f"/saved/{next(stamps)}")
    leaving(engine, monkeypatch, then=NotVerified("the end"))
    run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    read = {
        node.name: [word for command in node.commands for word in command.argv if word.startswith("/saved/")]
        for node in engine.hosts.nodes
    }
    assert read == {"qsp-a": ["/saved/first", "/saved/last"], "qsp-b": ["/saved/first", "/saved/first"]}


@pytest.mark.parametrize(("free", "refused"), [(90, True), (91, False)])
def test_a_victim_in_use_has_room_for_two_copies_or_nothing_is_begun(
    engine: Engine, free: int, *, refused: bool
) -> None:
    def answer(command: Command) -> str:
        words = " ".join(command.argv)
        return "yes\n" if "mountpoint" in words else f"90 {free}\n" if "df -Pk" in words else ""

    engine.hosts.nodes[0] = FakeNode("qsp-a", answer)
    engine.split = SplitBrain({"qsp-a": "detected"})
    shown = run("resolve", "split-brain", "lab", "--victim", "qsp-a", "--yes")
    assert isinstance(shown.exception, Refused) is refused
    assert ("resolve" in " ".join(engine.asked)) is not refused
    if refused:
        assert "90 KiB may be needed and 90 are free" in str(shown.exception)


def test_what_a_node_saves_has_the_room_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 100_000)
    told = subprocess.run(["sh", "-c", split._ROOM, "sh", str(tmp_path)], capture_output=True, check=True, text=True)
    needed, free = map(int, told.stdout.split())
    assert needed in range(97, 140)
    assert free > 0


@pytest.mark.parametrize("during", ["save", "once more"])
@pytest.mark.parametrize("reached", [True, False])
async def test_what_an_interrupted_copy_of_the_logs_has_left_is_removed_from_the_nodes(
    site: Site, engine: Engine, monkeypatch: pytest.MonkeyPatch, during: str, *, reached: bool
) -> None:
    begun, copies = asyncio.Event(), {"save": 2, "once more": 1}[during]

    async def save_logs(cluster: Cluster, node: str, source: str, to: str) -> None:
        engine.asked.append(node)
        if len(engine.asked) == copies:
            begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(engine, "save_logs", save_logs, raising=False)
    monkeypatch.setattr(split, "_new_folder", lambda cluster: "/saved/now")
    engine.split = SplitBrain({"qsp-a": "detected"})
    nodes = [FakeNode("qsp-a"), FakeNode("qsp-b") if reached else FakeNode("qsp-b", off)]
    cluster = fake_cluster(*nodes)
    work = save(cluster, site, "qsp-b") if during == "save" else split._save_once_more(cluster, site, "qsp-b")
    task = asyncio.ensure_future(work)
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(
        asyncio.CancelledError if reached else NotVerified, match=None if reached else r"/saved/now\.part"
    ):
        await task
    removed = [node.name for node in nodes if [each.label for each in node.written] == ["remove /saved/now.part"]]
    assert removed == engine.asked


def giving_up(folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", split._GIVE_UP, "sh", str(folder)]
    return subprocess.run(words, capture_output=True, check=False, text=True, timeout=20)


def test_a_copy_that_goes_on_on_its_node_ends_when_its_place_is_removed(tmp_path: Path) -> None:
    source, new = tmp_path / "log", tmp_path / "saved/now"
    for number in range(400):
        (source / f"{number // 100}").mkdir(parents=True, exist_ok=True)
        (source / f"{number // 100}/access.log.{number}").write_bytes(b"x" * 1000)
    new.parent.mkdir()
    (new.parent / "now.part").mkdir()
    slow = 'for each in "$1"/*/*; do cp -a -- "$each" "$2.part/" || exit 1; sleep 0.01; done; mv -T -- "$2.part" "$2"'
    with subprocess.Popen(["sh", "-c", slow, "sh", str(source), str(new)], stderr=subprocess.DEVNULL) as copying:
        time.sleep(0.3)
        assert giving_up(new).returncode == 0
        assert copying.wait(10) != 0
    assert list(new.parent.iterdir()) == []


def test_a_copy_that_was_whole_before_it_was_interrupted_stays(tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    assert giving_up(tmp_path / "now").returncode == 0
    assert (tmp_path / "now").is_dir()


@dataclass
class Copies:
    """Two nodes on this machine, each with a folder of logs."""

    folder: Path

    def nodes(self) -> dict[str, LocalNode]:
        return {name: LocalNode(name) for name in ("one", "two")}

    async def only(self) -> tuple[int, int]:
        nodes = self.nodes()
        blocks = {
            name: records.parse_digests((await node.run(records.digests(str(self.folder / name), "access.log"))).stdout)
            for name, node in nodes.items()
        }
        parts = records.differing(blocks["one"], blocks["two"])
        found: list[Counter[bytes]] = []
        for (name, node), part in zip(nodes.items(), parts, strict=True):
            lines, whole = await records.lines(node, str(self.folder / name), part)
            assert whole
            found.append(lines)
        one, two = records.only(*found)
        return one.total(), two.total()


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    monkeypatch.setattr(records, "BLOCK", 64)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return Copies(tmp_path)


def log(*records_: str) -> bytes:
    return "".join(f"{record}\n" for record in records_).encode()


COMMON = [f"common record number {number}" for number in range(40)]


async def test_records_only_on_either_side_are_counted_over_rotations_and_compression(copies: Copies) -> None:
    one, two = copies.folder / "one", copies.folder / "two"
    (one / "access.log-1.gz").write_bytes(gzip.compress(log("old")))
    (two / "access.log-1").write_bytes(log("old"))
    (one / "access.log").write_bytes(log(*COMMON, "a1", "a2", "a2"))
    (two / "access.log-2").write_bytes(log(*COMMON, "b1"))
    (two / "access.log").write_bytes(log("b2", "a2"))
    assert await copies.only() == (2, 2)


async def test_only_what_differs_is_read(copies: Copies) -> None:
    for name, own in (("one", ["a"]), ("two", ["b", "c"])):
        (copies.folder / name / "access.log").write_bytes(log(*COMMON, *own))
    assert await copies.only() == (1, 2)
    blocks = {"access.log": tuple("0123")}
    ahead = {"access.log": (*"012", "x", "y")}
    assert records.differing(blocks, ahead)[0] == [records.Part("access.log", 3 * records.BLOCK)]
    assert records.differing(blocks, blocks) == ([], [])


@pytest.mark.parametrize("name", ["access.log", "access.log-1.gz"])
async def test_a_link_in_a_copy_is_not_read_through(copies: Copies, name: str) -> None:
    """Root reads, and what was copied is still Squid's: whoever has taken Squid over may put links there."""
    secret, folder = copies.folder / "shadow", copies.folder / "one"
    secret.write_bytes(gzip.compress(log("root:secret")) if name.endswith(".gz") else log("root:secret"))
    (folder / name).symlink_to(secret)
    (folder / "access.log-2").write_bytes(log("own"))
    node = LocalNode("one")
    found = records.parse_digests((await node.run(records.digests(str(folder), "access.log"))).stdout)
    assert list(found) == ["access.log-2"]
    with pytest.raises(CommandFailed, match=f"{name} is a link to another file, and is not read") as refused:
        await records.lines(node, str(folder), [records.Part(name, 0)])
    assert refused.value.node == "one"


def test_the_first_records_are_those_of_the_oldest_file() -> None:
    """A shell's pattern gives the live file first, and 10 before 2."""
    names = ["access.log", "access.log.1", "access.log.10.gz", "access.log.2.gz"]
    parts = records.oldest_first([records.Part(name, 0) for name in names], "access.log")
    assert [part.name for part in parts] == ["access.log.10.gz", "access.log.2.gz", "access.log.1", "access.log"]


async def test_an_answer_that_is_cut_off_is_not_a_log() -> None:
    node = FakeNode("qsp-a", lambda command: "H4sI")
    with pytest.raises(Unknown, match="not whole"):
        await records.lines(node, "/saved", [records.Part("access.log", 0)])


@settings(max_examples=15, deadline=None)
@given(
    common=st.lists(st.text("xyz", min_size=1, max_size=30), max_size=20),
    ones=st.lists(st.text("abc", min_size=1, max_size=9), max_size=9),
    twos=st.lists(st.text("def", min_size=1, max_size=9), max_size=9),
)
def test_whatever_is_common_does_not_count(common, ones, twos, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("copies")
    for name, own in (("one", ones), ("two", twos)):
        (folder / name).mkdir()
        (folder / name / "access.log").write_bytes(log(*common, *own))
    assert run_sync(Copies(folder).only()) == (len(ones), len(twos))


async def test_a_site_without_a_mirror_or_with_a_node_away_has_no_split_brain(site: Site, engine: Engine) -> None:
    with pytest.raises(Refused, match="no mirror"):
        await save(fake_cluster(FakeNode("qsp-a")), site.model_copy(update={"mirror": None}), "qsp-b")
    with pytest.raises(Refused, match="declared away"):
        await save(fake_cluster(FakeNode("qsp-a")), site, "qsp-b")
