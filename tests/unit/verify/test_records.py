"""Requests against records, and where the records are."""

from __future__ import annotations

import pytest

from declaration.site import Site
from operations.logs.place import local_log, mirror_log
from operations.proof.model import LogLine, Request
from operations.proof.read import read_records
from operations.trouble import Misused
from operations.verify import clocks
from operations.verify import site as verifying
from operations.verify.clocks import Difference
from operations.verify.model import Check, Report
from operations.verify.records import count
from operations.verify.site import Options, start
from providers.connection.command import Command, Result
from providers.connection.errors import Unknown
from providers.connection.fake import FakeNode, fake_cluster


def request(number: int, status: int | None = 200) -> Request:
    return Request(id=f"v1-{number}", start=number, end=number + 0.5, status=status)


def line(number: int | str) -> LogLine:
    return LogLine(file="access.log", text=f"1.0 5 192.0.2.100 TCP_MISS/200 300 GET http://192.0.2.1/r/v1-{number} -")


def test_each_answered_request_has_exactly_one_record() -> None:
    found = count("v1", [request(1), request(2), request(3, None)], [line(1), line(2)])
    assert found.passed
    assert found.told("/l") == "2 of 2 requests have a record in /l"


def test_what_is_missing_or_doubled_is_named() -> None:
    found = count("v1", [request(number) for number in range(1, 7)], [line(1), line(1), line("x")])
    assert not found.passed
    assert found.lost == ["v1-2", "v1-3", "v1-4", "v1-5", "v1-6"]
    text = "1 of 6 requests have a record in /l; without one: v1-2, v1-3, v1-4 and 2 more; with several: v1-1"
    assert found.told("/l") == text


def test_nothing_answered_is_nothing_seen() -> None:
    found = count("v1", [request(1, None)], [])
    assert not found.passed
    assert "no request was answered" in found.told("/l")


def test_a_line_of_a_longer_number_is_no_record() -> None:
    assert count("v1", [request(1)], [line(11)]).lost == ["v1-1"]


def test_the_logs_are_those_of_squid_conf(site: Site) -> None:
    assert local_log(site) == "/var/log/squid/access.log"
    assert mirror_log(site) == "/mnt/mirror/squid/access.log"
    assert mirror_log(site.model_copy(update={"mirror": None})) is None


async def test_logs_are_read_on_all_nodes_and_the_mirrors_where_it_is_mounted(site: Site) -> None:
    def answer(command: Command) -> str:
        return f"/log\0GET http://192.0.2.1/r/{'m' if '/mnt/mirror' in command.argv else 'l'}-1\n"

    nodes = [FakeNode(name, answer) for name in ("qsp-a", "qsp-b")]
    logs = await read_records(fake_cluster(*nodes), site, "qsp-b", "v1")
    assert [each.text[-3:] for each in logs.mirror] == ["m-1"]
    assert {name: [each.text[-3:] for each in lines] for name, lines in logs.local.items()} == {
        "qsp-a": ["l-1"], "qsp-b": ["l-1"],
    }  # fmt: skip
    assert [len(node.commands) for node in nodes] == [1, 2]


async def test_a_mirror_that_is_not_mounted_is_unknown_and_not_empty(site: Site) -> None:
    def answer(command: Command) -> Result:
        return Result(command, 32 if "/mnt/mirror" in command.argv else 0, "", "")

    with pytest.raises(Unknown, match="qsp-a: the mirror is not mounted"):
        await read_records(fake_cluster(FakeNode("qsp-a", answer), FakeNode("qsp-b", answer)), site, "qsp-a", "v1")


@pytest.mark.parametrize(
    ("left", "right", "passed"),
    [
        (Difference(0.1, 0.01), Difference(0.2, 0.01), True),
        (Difference(-0.6, 0.01), Difference(0.6, 0.01), False),
        (Difference(0.0, 0.9), Difference(0.0, 0.9), False),
    ],
)
def test_two_clocks_against_each_other(left: Difference, right: Difference, passed: bool) -> None:
    check = clocks.apart({"qsp-a": left, "qsp-b": right}, 1.0)
    assert check.passed is passed
    assert "s apart, give or take" in check.seen


def test_no_checks_are_no_success() -> None:
    assert not Report(stack="x", phase=1, checks=[]).passed
    good = Check(name="x", where="y", passed=True, seen="z")
    assert Report(stack="x", phase=1, checks=[good]).passed
    assert not Report(stack="x", phase=1, checks=[good, good.model_copy(update={"passed": False})]).passed


async def test_requests_come_from_where_one_says(site: Site) -> None:
    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"))
    assert (await start(cluster, site, "qsp-a", Options(sender="qsp-b"))).sender.place == "qsp-b"
    assert (await start(cluster, site, "qsp-a", Options(sender="here"))).sender.place == "here"
    with pytest.raises(Misused, match="--from: `qsp-c` is no node"):
        await start(cluster, site, "qsp-a", Options(sender="qsp-c"))


@pytest.mark.parametrize(("served", "place"), [(True, "here"), (False, "qsp-b")])
async def test_without_a_word_they_come_from_here_if_the_proxy_serves_here(
    site: Site, monkeypatch: pytest.MonkeyPatch, served: bool, place: str
) -> None:
    async def gets_through(*_arguments: object) -> bool:
        return served

    monkeypatch.setattr(verifying, "_gets_through", gets_through)
    walk = await start(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")), site, "qsp-a", Options())
    assert walk.sender.place == place
    assert walk.target.url == "http://192.0.2.1/"
    alone = await start(fake_cluster(FakeNode("qsp-a")), site, "qsp-a", Options(url="http://192.0.2.7/"))
    assert alone.sender.place == ("here" if served else "qsp-a")
    assert alone.target.url == "http://192.0.2.7/"
