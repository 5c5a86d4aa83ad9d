"""A drill of a whole site: what is refused before anything is changed, and what is reported."""

from __future__ import annotations

import asyncio
import io
import json
import platform
import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from lxml import etree
from rich.console import Console

from declaration.site import Site
from lab import plug
from operations.drill import ready
from operations.drill import site as drilling
from operations.drill.clients import FromNode
from operations.drill.junit import junit
from operations.drill.model import DrillReport
from operations.drill.options import Options
from operations.drill.plug import NoPlug
from operations.drill.ready import named, without_tools
from operations.drill.scenarios import scenarios
from operations.drill.show import render
from operations.drill.site import clients_for, drill, hints_of
from operations.drill.steps import Stand, View
from operations.proof.model import Logs
from operations.trouble import Misused
from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, NotVerified, Refused, TimedOut, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from tests.unit.operations.drill.world import World, logs

PLANNED = sorted(name for name, each in scenarios().items() if each.planned)


@dataclass(frozen=True)
class LabPlug(NoPlug):
    disposable: bool = True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The pair that is drilled; its clients' requests are all recorded, but for those that ``lose`` names."""
    made = World()

    def clients(cluster: object, view: object, options: object, run: str, longest: float) -> World:
        made.number, made.ended = 0, []
        return made

    async def read(cluster: object, site: object, active: str, run: str) -> Logs:
        return logs([request.id.rpartition("-")[2] for request in made.ended])  # type: ignore[misc]

    monkeypatch.setattr(drilling, "Runner", partial(drilling.Runner, pause=0.001))
    for module in (drilling, ready):
        monkeypatch.setattr(module, "SiteEyes", lambda *_: made)
    monkeypatch.setattr(drilling, "SiteHands", lambda *_: made)
    monkeypatch.setattr(drilling, "clients_for", clients)
    monkeypatch.setattr(drilling, "read_records", read)
    # World's requests bear its own run's name.
    monkeypatch.setattr(drilling.time, "time_ns", lambda: 1_000_000)
    return made


def cluster(told: list[str] | None = None) -> Cluster:
    return fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), progress=told.append if told is not None else print)


async def test_a_bound_of_a_scenario_that_there_is_not_is_refused_before_any_look(site: Site, world: World) -> None:
    gaps = {"squid-kiled": site.drill.planned_gap}
    misspelt = site.model_copy(update={"drill": site.drill.model_copy(update={"gaps": gaps})})
    hosts = cluster()
    with pytest.raises(Refused, match=r"`drill.gaps.squid-kiled`.*perhaps `squid-killed` is meant"):
        await drill(hosts, misspelt, "lab", Options(["planned-move"], patience=20, machine="m"))
    assert not world.ended


async def test_a_site_that_does_what_it_states_is_green(site: Site, world: World) -> None:
    told: list[str] = []
    report = await drill(cluster(told), site, "lab", Options(["planned-move"], patience=20, machine="m"))
    assert report.verdict == "green", report.scenarios[0].findings
    (moved,) = report.scenarios
    assert told[-1].startswith(f"planned-move: green ({moved.sent} sent, "), "its outcome is not told when it ends"
    assert (moved.name, moved.lost, moved.active_after, moved.whole) == ("planned-move", 0, "qsp-a", True)
    assert moved.sent >= 20
    assert world.sending is False
    assert (report.site, report.engine, report.phase, report.machine) == ("lab", "pacemaker", 3, "m")


async def test_without_a_word_only_what_is_planned_is_done(site: Site, world: World) -> None:
    assert sorted(each.name for each in named(Options())) == PLANNED
    assert len(named(Options(knows=True))) == len(scenarios())
    assert len(named(Options(plug=LabPlug()))) == len(scenarios())
    with pytest.raises(Refused, match="squid-killed breaks something"):
        await drill(cluster(), site, "lab", Options(["squid-killed"]))
    assert world.did == []


async def test_the_labs_plug_breaks_no_other_site(site: Site, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with somebody's word either: the power of a node by that name is that of the lab's."""
    monkeypatch.setenv("SQUID_HA_LAB_RUN", "/lab/run")
    assert plug.plug.mismatch(site) == ""
    nodes = [each.model_copy(update={"address": f"198.51.100.{n}"}) for n, each in enumerate(site.nodes, 1)]
    named = [each.model_copy(update={"name": f"lyon-{each.name}"}) for each in site.nodes]
    keys = [site.ssh.model_copy(update={"known_hosts": each}) for each in (None, "/etc/squid-ha/known_hosts")]
    others = {
        "qsp-a is at 198.51.100.1, and the lab has it at 192.0.2.11": {"nodes": nodes},
        "lyon-qsp-a is at 192.0.2.11, and the lab has qsp-a and qsp-b": {"nodes": named},
        "host keys are in ~/.ssh/known_hosts, and the lab's in /lab/run/known_hosts": {"ssh": keys[0]},
        "host keys are in /etc/squid-ha/known_hosts, and the lab's": {"ssh": keys[1]},
    }
    for why, changes in others.items():
        for knows in (False, True):
            lyon, options = site.model_copy(update=changes), Options(knows=knows, plug=plug.plug)
            with pytest.raises(Refused, match=rf"^--plug has hold of other hosts than this site's: .*{why}"):
                await drill(cluster(), lyon, "lyon", options)
    assert world.did == []
    assert world.number == 0


async def test_clients_that_are_interrupted_while_they_start_do_not_begin_after_they_were_stopped(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is given up goes on on its node."""
    asked = asyncio.Event()

    def begin() -> None:
        world.sending = True

    async def start(_self: object, _target: object) -> None:
        asyncio.get_running_loop().call_later(0.05, begin)
        asked.set()
        await asyncio.sleep(0.1)

    monkeypatch.setattr(type(world), "start", start)
    task = asyncio.create_task(drill(cluster(), site, "lab", Options(["planned-move"], patience=20)))
    await asyncio.wait_for(asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert world.sending is False, "load for up to an hour"


@pytest.mark.parametrize(
    ("stand", "why"),
    [
        (Stand(trouble="qsp-a: no connection"), "no connection"),
        (Stand(active="qsp-a", whole=True, mirror={"qsp-b": "Inconsistent"}), "the mirror: qsp-b Inconsistent"),
        (Stand(active="qsp-a", whole=True, online=frozenset({"qsp-a"})), "online: qsp-a"),
        (Stand(active="qsp-a", whole=True, healthy=True, notices=("earlier failure",)), "earlier failure"),
    ],
)
async def test_a_site_that_is_not_ready_is_refused_and_left_alone(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, stand: Stand, why: str
) -> None:
    async def look(without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
        return stand

    monkeypatch.setattr(world, "look", look)
    with pytest.raises(Refused, match="not ready") as refused:
        await drill(cluster(), site, "lab", Options())
    assert why in str(refused.value)
    assert world.did == []
    assert world.number == 0


@pytest.mark.parametrize("error", [Unreachable, TimedOut])
async def test_a_node_that_does_not_answer_is_named_and_the_drill_refused(
    site: Site, world: World, error: type[Unreachable | TimedOut]
) -> None:
    """With the lock that a pair with a node off can have."""
    held: list[bool] = []

    async def hold(*, without_lost: bool = False) -> None:
        held.append(without_lost)
        if not without_lost:
            raise Unreachable("no SSH connection", node="qsp-b")

    def off(_command: Command) -> Result:
        raise error("no SSH connection", node="qsp-b", remedy="check that the node is up")

    pair = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", off))
    with pytest.raises(Refused, match="not ready: qsp-b does not answer: no SSH connection\n  → check that"):
        await drill(replace(pair, hold=hold), site, "lab", Options())
    assert held == [True]
    assert world.did == []


async def test_a_lab_that_does_not_answer_costs_no_drill_its_report(site: Site, world: World) -> None:
    """It is asked before anything is disturbed, and not where everything else waits for its answer."""
    asked: list[tuple[bool, int]] = []

    @dataclass(frozen=True)
    class Silent(NoPlug):
        def machine(self) -> str:
            asked.append((threading.current_thread() is here, len(world.ended)))
            raise NotVerified("the lab did not answer the request `status` within 15 s")

    here, told = threading.current_thread(), list[str]()
    report = await drill(cluster(told), site, "lab", Options(["planned-move"], patience=20, plug=Silent()))
    assert (report.verdict, report.machine) == ("green", f"drill run on {platform.node()}")
    assert asked == [(False, 0)]
    assert any("what the hosts are cannot be told: the lab did not answer" in text for text in told)


async def test_what_an_earlier_drill_left_is_waited_for(site: Site, world: World) -> None:
    there = FakeNode("qsp-a", lambda _command: "squid-ha-drill-hang.timer loaded active waiting\n")
    with pytest.raises(Refused, match="still to come: squid-ha-drill-hang"):
        await drill(fake_cluster(there, FakeNode("qsp-b")), site, "lab", Options())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (Options(["no-such"]), Misused),
        (Options(["peers-disk-frozen"], knows=True), Refused),
    ],
)
async def test_what_does_not_exist_or_cannot_be_done_is_refused(
    site: Site, world: World, options: Options, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await drill(cluster(), site, "lab", options)
    assert world.did == []


async def test_a_scenario_whose_command_is_not_on_a_node_is_left_out_before_anything_is_broken(
    site: Site, world: World
) -> None:
    def bare(command: Command) -> str:
        return "nft\n" if str(command) == "look for nft" else ""

    pair = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", bare))
    with pytest.raises(
        Refused, match="public-network-cut cannot be done here: `nft` is not on qsp-b: install nftables"
    ):
        await drill(pair, site, "lab", Options(["public-network-cut"], knows=True))
    assert world.did == []
    chosen = list(scenarios().values())
    view = View(site, "qsp-a", "qsp-b", frozenset())
    left = await without_tools(pair, chosen, view)
    assert set(left) == {"public-network-cut", "replication-network-cut"}
    assert await without_tools(pair, chosen, replace(view, can=plug.plug.can)) == {}


async def test_a_single_node_has_nowhere_to_go(site: Site, world: World) -> None:
    alone = site.model_copy(update={"virtual_ip": None})
    off = FakeNode("qsp-a")

    async def unreachable(*, without_lost: bool = False) -> None:
        raise Unreachable("no SSH connection", node="qsp-a")

    with pytest.raises(Refused, match="single node"):
        await drill(replace(fake_cluster(off), hold=unreachable), alone, "lab", Options())
    assert off.commands == []


async def test_after_a_site_that_is_not_whole_again_nothing_more_is_broken(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.stuck = "hangs"
    real = drilling.Runner
    monkeypatch.setattr(drilling, "Runner", lambda *seams, **options: real(*seams, **(options | {"settle": 0.05})))
    report = await drill(cluster(), site, "lab", Options(["squid-hung", "squid-killed"], knows=True, patience=20))
    assert report.verdict == "red"
    (hung,) = report.scenarios
    assert {finding.split(":")[0] for finding in hung.findings} >= {"left behind", "not whole"}
    assert list(report.left_out) == ["squid-killed"]


@pytest.mark.parametrize("during", ["a disturbance", "a move", "the clients' end"])
async def test_a_step_that_could_not_be_done_went_wrong_in_the_text_the_document_and_the_file(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    begin = world.begin

    async def failing(*given: Any) -> None:
        if during == "a disturbance":
            # Its undo was armed, and is tried too.
            await begin(*given)
        raise CommandFailed("qsp-a", "systemctl kill squid.service", 1, "no such unit")

    replaced = {"a disturbance": "begin", "a move": "move", "the clients' end": "stop"}[during]
    monkeypatch.setattr(world, replaced, failing)
    name = "planned-move" if during == "a move" else "squid-hung"
    report = await drill(cluster(), site, "lab", Options([name], knows=True, patience=20))
    assert report.verdict == "red"
    (finding,) = [each for each in report.scenarios[0].findings if each.startswith("went wrong: ")]
    assert "`systemctl kill squid.service` ended with exit code 1" in finding
    assert finding in json.loads(report.model_dump_json())["scenarios"][0]["findings"]
    text = io.StringIO()
    Console(width=1000, file=text).print(render(report))
    assert finding in text.getvalue()
    failure = etree.fromstring(junit(report).encode()).find(f"testcase[@name='{name}']/failure")
    assert failure is not None
    assert finding in (failure.text or "").splitlines()
    assert world.broken == []


async def test_a_drill_that_could_not_go_on_is_not_green(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real = drilling.readiness

    async def ready_once(*seams: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise Refused("the site is not ready: squid failed on qsp-b")
        return await real(*seams)

    monkeypatch.setattr(drilling, "readiness", ready_once)
    report = await drill(cluster(), site, "lab", Options(["planned-move", "squid-killed"], knows=True, patience=20))
    assert [each.verdict for each in report.scenarios] == ["green"]
    assert list(report.left_out) == ["squid-killed"]
    assert report.verdict == "red"


def interrupt_after_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drill is interrupted between its first scenario and the second."""
    real = drilling.readiness

    async def interrupted_later(*seams: Any) -> Any:
        if world.ended:
            raise asyncio.CancelledError
        return await real(*seams)

    monkeypatch.setattr(drilling, "readiness", interrupted_later)


async def test_what_was_found_before_an_interrupt_is_kept(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after_one(world, monkeypatch)
    kept: list[DrillReport] = []
    options = Options(["planned-move", "squid-killed"], knows=True, patience=20)
    with pytest.raises(asyncio.CancelledError):
        await drill(cluster(), site, "lab", options, kept.append)
    (report,) = kept
    assert [each.name for each in report.scenarios] == ["planned-move"]
    assert list(report.left_out) == ["squid-killed"]
    assert report.verdict == "red", "a drill that was ended proves nothing of what it left out"


async def test_a_drill_that_is_interrupted_in_its_first_scenario_has_a_report_of_none(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hold(*, without_lost: bool = False) -> None:
        if not without_lost:
            raise asyncio.CancelledError

    kept: list[DrillReport] = []
    with pytest.raises(asyncio.CancelledError):
        await drill(replace(cluster(), hold=hold), site, "lab", Options(["planned-move"], patience=20), kept.append)
    (report,) = kept
    assert (report.scenarios, list(report.left_out), report.verdict) == ([], ["planned-move"], "red")
    assert report.clients == "5 requests a second", "nobody has sent anything yet"


async def test_clients_that_are_lost_make_the_report_red_and_not_none(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_self: object) -> Any:
        raise Unreachable("no route to host", node="qsp-b")

    monkeypatch.setattr(type(world), "stop", gone)
    report = await drill(cluster(), site, "lab", Options(["planned-move"], patience=20))
    (moved,) = report.scenarios
    assert report.verdict == "red"
    assert any("clients cannot be asked" in each for each in moved.findings)


async def test_requests_come_from_where_they_are_asked_to_or_where_the_scenario_disturbs_least(site: Site) -> None:
    view, pair = View(site, "qsp-a", "qsp-b"), cluster()
    senders = {name: scenario.sender(view) for name, scenario in scenarios().items()}
    assert senders.pop("clock-off") == "qsp-a", "the standby's clock would be in the requests"
    assert set(senders.values()) == {"qsp-b"}
    standby = clients_for(pair, Options(), "qsp-b", "d1")
    assert isinstance(standby, FromNode)
    asked = [clients_for(pair, Options(sender=each), "qsp-b", "d1").place for each in ("here", "qsp-a")]
    assert [standby.place, *asked] == ["qsp-b", "here", "qsp-a"]
    with pytest.raises(Misused, match="no node"):
        clients_for(pair, Options(sender="qsp-c"), "qsp-b", "d1")


async def test_daemon_logging_is_found_on_the_node(site: Site) -> None:
    def answers(command: Command) -> Result:
        return Result(command, 0, "access_log daemon:/mnt/mirror/squid/access.log\n", "")

    pair = fake_cluster(FakeNode("qsp-a", answers), FakeNode("qsp-b", lambda command: Result(command, 1, "", "")))
    (hint,) = await hints_of(pair, site)
    assert "on qsp-a logs by `daemon:`" in hint


def test_the_order_that_was_asked_for_is_kept() -> None:
    found = [each.name for each in named(Options(["squid-hung", "planned-move"], knows=True))]
    assert found == ["squid-hung", "planned-move"]
