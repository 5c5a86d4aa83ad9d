"""Requests as they are sent, from here and by the script that runs on a node, to a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from declaration.site import Site
from operations.proof import prove
from operations.proof.model import LogLine, Logs, Move, Request
from operations.trouble import Misused
from operations.verify.requests import FromHere, FromNode, Sender, Target, parse, require_url, sending
from operations.verify.walk import request_check
from providers.connection.errors import Unknown
from providers.connection.fake import FakeNode
from tests.unit.local import LocalNode

TARGET = Target("192.0.2.10", 3128, "http://192.0.2.1/")


def senders() -> list[Sender]:
    return [FromHere(timeout=2), FromNode(LocalNode(), timeout=2)]


@pytest.fixture(params=["here", "node"])
def sender(request: pytest.FixtureRequest) -> Sender:
    return senders()[["here", "node"].index(request.param)]


@pytest.mark.thorough
async def test_every_request_is_sent_once_with_its_name(sender: Sender, proxy: int) -> None:
    sent = await sender.send(Target("127.0.0.1", proxy, "http://192.0.2.1/page?x"), ["v1-1", "v1-2", "v1-denied"])
    assert [(each.id, each.status, each.error) for each in sent] == [
        ("v1-1", 200, ""), ("v1-2", 200, ""), ("v1-denied", 403, ""),
    ]  # fmt: skip
    assert all(each.start <= each.end for each in sent)


async def test_a_proxy_that_is_not_there_is_told(sender: Sender) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (sent,) = await sender.send(Target("127.0.0.1", free.getsockname()[1], "http://192.0.2.1/"), ["v1-1"])
    assert sent.status is None
    assert sent.error


@pytest.mark.thorough
async def test_a_proxy_that_says_nothing_is_given_up(sender: Sender) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        (sent,) = await sender.send(Target("127.0.0.1", deaf.getsockname()[1], "http://192.0.2.1/"), ["v1-1"])
    assert sent.status is None
    assert sent.error
    assert sent.end - sent.start < 10


@pytest.mark.thorough
async def test_half_an_answer_is_none_from_here(proxy: int) -> None:
    (sent,) = await FromHere(timeout=2).send(Target("127.0.0.1", proxy, "http://192.0.2.1/"), ["v1-cut"])
    assert sent.status is None
    assert "IncompleteRead" in sent.error


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("http://192.0.2.1/", "http://192.0.2.1/r/v1-1"),
        ("http://192.0.2.1:8080/a/b?c=d#e", "http://192.0.2.1:8080/r/v1-1"),
        ("http://[2001:db8::1]/", "http://[2001:db8::1]/r/v1-1"),
    ],
)
def test_the_page_is_of_the_same_server(url: str, page: str) -> None:
    assert Target("192.0.2.10", 3128, url).page("v1-1") == page


@pytest.mark.parametrize(
    "url",
    [
        "https://192.0.2.1/", "192.0.2.1", "http://", "http:///page", "http://[::1", "http://[::zz]/", "http://a b/",
        "http://www.exämple.org/", "http://user:word@192.0.2.1/", "http://192.0.2.1:99999/", "http://192.0.2.1:x/",
    ],
)  # fmt: skip
def test_what_is_no_pages_address_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(Misused, match="is no address such as"):
        require_url(url)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://www.example.org:8080/ä?b=c#d", "http://[2001:db8::1]:80/", "http://a_b.test/"]
)
def test_a_pages_address_is_taken_whatever_its_path(url: str) -> None:
    require_url(url)


def test_no_value_is_read_as_shell() -> None:
    evil = "http://x/$(touch /tmp/evil)`id`'\""
    command = sending(Target("192.0.2.10", 3128, evil), ["v1-1"], 2)
    assert evil not in command.argv[2]
    assert "$(touch" not in command.argv[2]


def test_what_the_script_prints_is_read() -> None:
    ok, failed = parse("v1-1\t1.5\t1.75\t200\t\nv1-2\t2.0\t4.0\t-\tno connection\n")
    assert ok == Request(id="v1-1", start=1.5, end=1.75, status=200)
    assert (failed.status, failed.error) == (None, "no connection")


def telling(clock: Callable[[], str], said: str) -> FakeNode:
    return FakeNode("proxy-b", lambda command: clock() if command.argv[0] == "date" else said)


@pytest.mark.parametrize(
    ("clock", "what"),
    [
        (lambda: f"{time.time()}\n", "what is said of the requests that were sent"),
        (lambda: "lost connection", "what `date` says"),
    ],
)
async def test_what_is_not_understood_names_the_node_that_said_it(clock: Callable[[], str], what: str) -> None:
    with pytest.raises(Unknown, match=f"^proxy-b: {what} is not understood"):
        await FromNode(telling(clock, "lost connection")).send(TARGET, ["v1-1"])


@pytest.mark.parametrize("off", [-100.0, 100.0])
async def test_times_of_a_node_are_by_the_clock_that_tells_when_the_service_was_moved(off: float) -> None:
    """Else a request after the move was answered before it, by a clock that is behind, and the proof fails."""
    moved = Move(source="qsp-a", target="qsp-b", start=time.time() - 20, end=time.time() - 10, arrived="qsp-b")
    end = time.time() + off
    node = telling(lambda: f"{time.time() + off}\n", f"v1-1\t{end - 0.25}\t{end}\t200\t\n")
    sent = await FromNode(node).send(TARGET, ["v1-1"])
    assert abs(sent[0].end - time.time()) < 5
    assert sent[0].end - sent[0].start == pytest.approx(0.25)
    lines = [LogLine(file="access.log", text="GET http://192.0.2.1/r/v1-1 -")]
    assert prove("v1", sent, [moved], Logs(active="qsp-b", mirror=lines, local={"qsp-b": lines})).passed


def answered(status: int | None, error: str = "") -> Request:
    return Request(id="v1-1", start=1, end=1.25, status=status, error=error)


@pytest.mark.parametrize(
    ("request_", "passed", "seen"),
    [
        (answered(200), True, "1 of 1 answered (HTTP status 200), the slowest in 0.25 s"),
        (answered(404), True, "HTTP status 404"),
        (answered(403), False, "does not allow this client; --from NODE"),
        (answered(407), False, "HTTP status 407"),
        (answered(503), False, "could not fetch http://192.0.2.1/; --url"),
        (answered(None, "no connection"), False, "no connection; is 192.0.2.10:3128 reached from there?"),
    ],
)
def test_what_counts_as_served(site: Site, request_: Request, passed: bool, seen: str) -> None:
    check = request_check(site, Target("192.0.2.10", 3128, "http://192.0.2.1/"), "here", [request_])
    assert check.passed is passed
    assert seen in check.seen
