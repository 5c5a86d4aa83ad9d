"""What is reported while a node does not answer, and where a move left the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from declaration.site import Site
from operations import status, switchover
from operations.proof.model import Request
from operations.proof.read import read_records
from operations.trouble import Misused
from operations.verify import Options, Report, clocks, rotation, verify, verify_rotation, walk
from operations.verify import site as verifying
from operations.verify.model import FileChange
from operations.verify.records import count, find_records
from operations.verify.requests import Target
from operations.verify.walk import Walk, left_at
from providers.connection.command import Command
from providers.connection.errors import CommandFailed, Refused, TimedOut, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.host import clocks as services
from providers.host.clock import Clock
from tests.unit.verify.world import LOCAL, Client, Pair, Tree

OWNER = "squid-ha/lab"


@pytest.fixture
def pair(site: Site, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A pair that serves this machine; nobody waits for records that are not there."""
    made = Pair(site.model_copy(update={"time": None}))
    for module in (status, switchover):
        monkeypatch.setattr(module, "engine_of", lambda _site: made)
    monkeypatch.setattr(verifying, "FromHere", Client(made))
    monkeypatch.setattr(walk, "RECORDED_WITHIN", 0)
    return made


def away(pair: Pair, name: str) -> None:
    nodes = [node.model_copy(update={"away": node.name == name}) for node in pair.site.nodes]
    pair.site = pair.site.model_copy(update={"nodes": nodes})


def without_mirror(pair: Pair) -> None:
    pair.site = pair.site.model_copy(update={"mirror": None})


async def report_of(pair: Pair, **options: Any) -> Report:
    return await verify(pair.cluster, pair.site, "lab", replace(Options(requests=2), **options))


def verdicts(report: Report) -> list[tuple[str, str, bool]]:
    return [(check.name, check.where, check.passed) for check in report.checks]


def seen(report: Report, name: str) -> list[str]:
    return [check.seen for check in report.checks if check.name == name]


async def test_a_pair_that_answers_passes(pair: Pair) -> None:
    report = await report_of(pair, move=True)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.proof is not None
    assert report.proof.passed
    assert pair.moved == ["qsp-b", "qsp-a"]
    assert seen(report, walk.AFTERWARDS) == []


# A silent standby


async def test_a_silent_standby_is_a_failed_check_and_everything_else_is_reported(pair: Pair) -> None:
    pair.silent = {"qsp-b"}
    report = await report_of(pair)
    assert verdicts(report) == [
        ("service", "qsp-a", True),
        ("mirror", "qsp-a", True),
        ("mirror", "qsp-b", False),
        ("client's request", "192.0.2.10:3128", True),
        ("records", "qsp-b", False),
        ("local log", "qsp-a", True),
        ("mirror's log", "qsp-a", True),
        ("clocks of both", "qsp-a, qsp-b", False),
    ]
    assert seen(report, "records") == ["its logs could not be read: no SSH connection"]
    assert seen(report, "clocks of both") == ["not compared: qsp-b could not be asked: no SSH connection"]
    assert report.proof is not None
    assert (report.proof.passed, report.proof.local["qsp-b"].records) == (True, 0)


async def test_requests_go_out_from_the_active_node_where_the_standby_is_silent(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_from_here(*_arguments: object) -> bool:
        return False

    monkeypatch.setattr(verifying, "_gets_through", not_from_here)
    for silent, place in ((set[str](), "qsp-b"), ({"qsp-b"}, "qsp-a")):
        pair.silent = silent
        assert (await verifying.start(pair.cluster, pair.site, "qsp-a", Options())).sender.place == place
    assert pair.check_told("so requests are sent from qsp-a")


async def test_a_sender_that_cannot_send_is_a_failed_check_and_the_rest_is_reported(pair: Pair) -> None:
    pair.silent = {"qsp-b"}
    report = await report_of(pair, sender="qsp-b")
    (said,) = seen(report, "client's request")
    assert said == "0 of 2 answered, because they could not be sent from qsp-b: no SSH connection"
    assert "no request was answered" in seen(report, "local log")[0]
    assert "clocks of both" in [check.name for check in report.checks]


async def test_what_a_silent_node_may_have_recorded_is_not_lost(pair: Pair) -> None:
    without_mirror(pair)
    made = Walk(pair.cluster, pair.site, Client(pair), Target("192.0.2.10", 3128, "http://192.0.2.1/"))
    await made.ask("qsp-a", 2)
    pair.active, pair.silent = "qsp-b", {"qsp-a"}
    await made.ask("qsp-b", 2)
    *_, before = made.checks
    assert (before.name, before.passed) == ("records of before, on either node", False)
    assert before.seen == (
        f"0 of 2 requests have a record in {LOCAL}; the others may have theirs on qsp-a, whose log could not be read"
    )


def test_only_records_that_were_looked_for_everywhere_are_missing() -> None:
    found = count("v1", [], [])
    assert found.told("/l", ["qsp-a"]) == found.told("/l")


async def test_who_needs_all_records_is_told_that_a_node_is_silent(pair: Pair) -> None:
    pair.silent = {"qsp-b"}
    assert list((await find_records(pair.cluster, pair.site, "qsp-a", "v1")).silent) == ["qsp-b"]
    with pytest.raises(Unreachable, match="qsp-b: no SSH connection"):
        await read_records(pair.cluster, pair.site, "qsp-a", "v1")


async def test_an_active_node_whose_logs_cannot_be_read_fails_by_that_and_nothing_counts_as_lost(pair: Pair) -> None:
    def broken(command: Command, node: str) -> None:
        if LOCAL in command.argv and node == "qsp-a":
            raise CommandFailed(node, str(command), 1, "gzip: unexpected end of file")

    pair.before = broken
    report = await report_of(pair)
    assert ("records", "qsp-a", False) in verdicts(report)
    assert "unexpected end of file" in seen(report, "records")[0]
    assert (seen(report, "local log"), seen(report, "mirror's log"), report.proof) == ([], [], None)


async def test_the_same_silence_is_told_once(pair: Pair) -> None:
    pair.silent = {"qsp-b"}
    made = Walk(pair.cluster, pair.site, Client(pair), Target("192.0.2.10", 3128, "http://192.0.2.1/"))
    for _ in range(3):
        await made.ask("qsp-a", 1)
    assert [check.where for check in made.checks if check.name == "records"] == ["qsp-b"]


async def test_a_clock_that_could_not_be_asked_fails_by_its_node_beside_those_that_could(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(node: FakeNode, _service: str, **_more: object) -> services.Reading:
        if node.name == "qsp-b":
            raise TimedOut("`chronyc` did not finish within 60 s", node="qsp-b", remedy="look there")
        return services.Reading(Clock(source="192.0.2.1", stratum=3, offset=0.0), "chrony")

    monkeypatch.setattr(services, "read", read)
    cluster = fake_cluster(*(FakeNode(name, lambda _command: "1.0\n") for name in ("qsp-a", "qsp-b")))
    checks, silent = await clocks.look(cluster, site)
    assert [(check.name, check.where) for check in checks] == [
        ("clock", "qsp-a"), ("clock", "qsp-b"), ("clocks of both", "qsp-a, qsp-b"),
    ]  # fmt: skip
    assert [check.passed for check in checks[:2]] == [True, False]
    assert checks[1].seen == "`chronyc` did not finish within 60 s → look there"
    assert "s apart, give or take" in checks[2].seen
    assert list(silent) == ["qsp-b"]
    with pytest.raises(TimedOut, match="qsp-b: `chronyc`"):
        await clocks.checks(cluster, site)


# Where the service is after moves


async def test_a_move_back_that_fails_says_where_the_service_is_left(pair: Pair) -> None:
    pair.refuses = {"qsp-a": Refused("this node cannot take the service over now", node="qsp-a")}
    report = await report_of(pair, move=True)
    assert ("switchover", "qsp-b → qsp-a", False) in verdicts(report)
    left = "runs on qsp-b now, and ran on qsp-a before; `squid-ha switchover STACK --to qsp-a` moves it back"
    assert seen(report, walk.AFTERWARDS) == [left]
    assert pair.check_told(left)
    assert "clocks of both" in [check.name for check in report.checks]


async def test_a_first_move_that_fails_says_that_the_service_is_where_it_was(pair: Pair) -> None:
    pair.silent = {"qsp-b"}
    report = await report_of(pair, move=True)
    assert (walk.AFTERWARDS, "qsp-a", True) in verdicts(report)
    assert not report.passed


async def test_a_node_that_falls_silent_after_the_first_move_is_reported_and_the_service_goes_back(pair: Pair) -> None:
    def once(command: Command, node: str) -> None:
        if pair.moved == ["qsp-b"] and LOCAL in command.argv and node == "qsp-a":
            raise Unreachable("the connection broke", node=node)

    pair.before = once
    report = await report_of(pair, move=True)
    assert pair.moved == ["qsp-b", "qsp-a"]
    assert [each[1:] for each in verdicts(report) if each[0] == "records"] == [("qsp-a", False)]
    assert seen(report, walk.AFTERWARDS) == []


@pytest.mark.parametrize("ended", [asyncio.CancelledError(), RuntimeError("a fault of ours")])
async def test_whatever_ends_it_away_from_home_is_not_without_a_word(pair: Pair, ended: BaseException) -> None:
    def end(command: Command, _node: str) -> None:
        if pair.moved:
            raise ended

    pair.before = end
    with pytest.raises(type(ended)):
        await report_of(pair, move=True)
    assert pair.check_told("last seen on qsp-b, and ran on qsp-a before; `squid-ha status STACK` tells where it is")
    assert pair.check_told("`squid-ha switchover STACK --to qsp-a` moves it back")


async def test_what_ends_before_the_first_move_has_nothing_to_tell(pair: Pair) -> None:
    def end(_command: Command, _node: str) -> None:
        raise RuntimeError("a fault of ours")

    pair.before = end
    with pytest.raises(RuntimeError):
        await report_of(pair, move=True)
    assert not pair.check_told("last seen")


@pytest.mark.parametrize(("now", "part"), [(None, "runs on no node now"), ("qsp-b", "runs on qsp-b now")])
def test_a_service_that_is_not_back_is_no_success(pair: Pair, now: str | None, part: str) -> None:
    check = left_at(status.Status(pair.site, Tree(now)), "qsp-a")
    assert (check.passed, part in check.seen, check.where) == (False, True, now or "-")


async def test_where_nobody_can_tell_where_the_service_is_that_is_told(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_arguments: object) -> None:
        raise TimedOut("`crm_mon` did not finish within 60 s", node="qsp-b")

    pair.refuses = {"qsp-a": Refused("not now", node="qsp-a")}
    monkeypatch.setattr(walk, "read_status", silent)
    (said,) = seen(await report_of(pair, move=True), walk.AFTERWARDS)
    assert said.startswith("where it runs now cannot be told, and it ran on qsp-a before: qsp-b: `crm_mon`")


# A node that is declared away


@pytest.fixture
def rotated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes on which logs were rotated."""
    made: list[str] = []

    async def rotate(_walk: Walk, node: FakeNode, _wanted: object) -> list[FileChange]:
        made.append(node.name)
        return []

    monkeypatch.setattr(rotation, "_rotate", rotate)
    return made


async def rotation_of(pair: Pair, **options: Any) -> Report:
    return await verify_rotation(pair.cluster, pair.site, "lab", OWNER, replace(Options(requests=2), **options))


async def test_both_nodes_rotate_and_the_service_is_back(pair: Pair, rotated: list[str]) -> None:
    report = await rotation_of(pair)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert (rotated, pair.moved) == (["qsp-a", "qsp-b"], ["qsp-b", "qsp-a"])


@pytest.mark.parametrize(("active", "other"), [("qsp-a", "qsp-b"), ("qsp-b", "qsp-a")])
async def test_a_node_that_is_away_is_said_not_to_have_rotated(
    pair: Pair, rotated: list[str], active: str, other: str
) -> None:
    pair.active = active
    away(pair, other)
    report = await rotation_of(pair)
    assert (rotated, pair.moved) == ([active], [])
    assert [(check.name, check.where) for check in report.checks if not check.passed] == [("rotation", other)]
    assert "declared away, so nothing was rotated there" in seen(report, "rotation")[0]
    assert report.proof is not None
    assert report.proof.passed


async def test_a_rotation_that_cannot_be_tried_is_a_failed_check_and_the_service_goes_back(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rotate(_walk: Walk, node: FakeNode, _wanted: object) -> list[FileChange]:
        if node.name == "qsp-b":
            raise TimedOut("`logrotate` did not finish within 600 s", node="qsp-b")
        return []

    monkeypatch.setattr(rotation, "_rotate", rotate)
    report = await rotation_of(pair)
    assert pair.moved == ["qsp-b", "qsp-a"]
    assert [each for each in verdicts(report) if not each[2]] == [("rotation", "qsp-b", False)]
    assert seen(report, "rotation") == ["`logrotate` did not finish within 600 s"]


async def test_a_rotation_whose_move_back_fails_says_where_the_service_is(pair: Pair, rotated: list[str]) -> None:
    pair.refuses = {"qsp-a": Refused("not now", node="qsp-a")}
    report = await rotation_of(pair)
    assert (walk.AFTERWARDS, "qsp-b", False) in verdicts(report)


async def test_a_move_to_a_node_that_is_away_is_refused_before_a_request_goes_out(pair: Pair) -> None:
    away(pair, "qsp-b")
    with pytest.raises(Refused, match="qsp-b is declared away, so there is nowhere to move") as refused:
        await report_of(pair, move=True)
    assert "--move" in refused.value.remedy
    assert not pair.logs


async def test_a_service_on_a_node_that_is_declared_away_is_reported_and_nothing_rotated(
    pair: Pair, rotated: list[str]
) -> None:
    away(pair, "qsp-a")
    report = await report_of(pair)
    assert ("service", "qsp-a", False) in verdicts(report)
    assert "qsp-a, which is declared away" in seen(report, "service")[0]
    with pytest.raises(Refused, match="nothing can be rotated, because the service runs on qsp-a, which is declared"):
        await rotation_of(pair)
    assert not rotated


async def test_a_service_that_does_not_run_cannot_be_rotated(pair: Pair, rotated: list[str]) -> None:
    pair.active = None
    with pytest.raises(Refused, match="the service does not run as a whole on any node; see `squid-ha status`"):
        await rotation_of(pair)
    assert not rotated


# A sender, and a page


@pytest.mark.parametrize("run", [report_of, rotation_of])
async def test_a_sender_that_there_is_not_is_a_wrong_call_before_anybody_is_asked(
    pair: Pair, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_arguments: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(verifying, "read_status", asked)
    monkeypatch.setattr(verifying, "hold", asked)
    monkeypatch.setattr(rotation, "hold", asked)
    with pytest.raises(Misused, match="--from: `qsp-c` is no node of this site that can be asked; here, or qsp-a"):
        await run(pair, sender="qsp-c", move=True)


def declared(pair: Pair, reachable: Sequence[str], probe_url: str | None, drill_url: str | None = None) -> None:
    network, squid, drill = pair.site.network, pair.site.squid, pair.site.drill
    public = network.public.model_copy(update={"reachable": tuple(reachable)})
    update = {
        "network": network.model_copy(update={"public": public}),
        "squid": squid.model_copy(update={"probe_url": probe_url}),
        "drill": drill.model_copy(update={"url": drill_url}),
    }
    pair.site = pair.site.model_copy(update=update)


@pytest.mark.parametrize(
    ("reachable", "probe_url", "url", "own"),
    [
        ([], None, "", True),
        (["192.0.2.1"], None, "", False),
        ([], "http://192.0.2.7/", "", False),
        ([], None, "http://192.0.2.7/", False),
    ],
)
async def test_the_first_nodes_own_page_is_said_to_be_one_where_nothing_better_is_declared(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, reachable: list[str], probe_url: str | None, url: str, own: bool
) -> None:
    declared(pair, reachable, probe_url)
    monkeypatch.setattr(verifying, "FromHere", Client(pair, status=503))
    (said,) = seen(await report_of(pair, url=url), "client's request")
    assert "--url URL asks for another page" in said
    assert ("http://192.0.2.11/ of qsp-a itself, where usually no web server runs" in said) is own


def test_the_page_that_a_site_declares_for_drills_comes_before_the_probes(pair: Pair) -> None:
    declared(pair, ["192.0.2.1"], "http://192.0.2.7/", "http://192.0.2.8/page/")
    assert verifying.default_url(pair.site) == "http://192.0.2.8/page/"
    declared(pair, ["192.0.2.1"], "http://192.0.2.7/")
    assert verifying.default_url(pair.site) == "http://192.0.2.7/"


def test_no_answer_at_all_may_be_for_want_of_a_web_server_on_the_first_node() -> None:
    request = Request(id="v1-1", start=1, end=16, status=None, error="nothing within 15 s")
    made = walk.why_not(Target("192.0.2.10", 3128, "http://192.0.2.11/", "qsp-a"), request)
    assert made == (
        "nothing within 15 s; is 192.0.2.10:3128 reached from there, and does a web server run on qsp-a? "
        "If not, --url URL asks for another page"
    )
