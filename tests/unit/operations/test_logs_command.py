"""`squid-ha logs` as it is called, where the log is found on no node."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from declaration.site import Site
from operations import site as sites
from operations.cli import logs
from operations.cli._exit import code_of
from operations.engines import engine_of
from operations.logs.follow import Follower
from providers.connection.cluster import Cluster
from providers.connection.command import Command
from providers.connection.errors import TimedOut, Unknown, Unreachable
from providers.connection.fake import Answer, FakeNode, fake_cluster
from tests.support.terminal import alone


@dataclass
class FakeHosts:
    site: Site
    nodes: list[FakeNode]
    stack: str = "lab"
    told: list[str] = field(default_factory=list[str])

    def cluster(self, progress: object) -> Cluster:
        return fake_cluster(*self.nodes)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)


def not_mounted(_command: Command) -> str:
    return "no\n"


def silent(_command: Command) -> str:
    raise Unreachable("no SSH connection", node="qsp-a", remedy="check that the node is up")


@pytest.mark.parametrize(
    ("active", "said", "remedy"),
    [
        (
            silent,
            "the mirror is not mounted on qsp-b, and qsp-a did not answer: no SSH connection",
            "check that the node is up",
        ),
        (not_mounted, "the mirror is mounted on no node", "see `squid-ha status`"),
    ],
)
def test_a_node_that_was_not_heard_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch, active: Answer, said: str, remedy: str
) -> None:
    hosts = FakeHosts(site, [FakeNode("qsp-a", active), FakeNode("qsp-b", not_mounted)])
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    ended = alone(logs.command, ["lab"]).exception
    assert isinstance(ended, Unknown)
    assert (ended.message, ended.remedy) == (said, f"{remedy}; `--local NODE` reads local logs")


def test_nodes_that_hang_are_unreachable(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(command: Command) -> str:
        raise TimedOut(f"`{command}` did not finish within 15 s", node="qsp-b")

    hosts = FakeHosts(site, [FakeNode("qsp-a", silent), FakeNode("qsp-b", hangs)])
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    ended = alone(logs.command, ["lab"]).exception
    assert isinstance(ended, Unreachable)
    assert code_of(ended) == 4
    first, second = str(ended).split(";\nqsp-b: ")
    assert first == "qsp-a: no SSH connection\n  → check that the node is up"
    assert "did not finish within 15 s\n  → see whether the node hangs" in second


def test_a_mirror_that_both_nodes_have_is_not_told_as_one_that_none_has(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(_cluster: Cluster) -> None:
        return None

    hosts = FakeHosts(site, [FakeNode(name, lambda _command: "yes\n") for name in ("qsp-a", "qsp-b")])
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    monkeypatch.setattr(engine_of(site).runtime, "active_node", nobody)
    ended = alone(logs.command, ["lab"]).exception
    assert isinstance(ended, Unknown)
    assert ended.message == "the mirror is mounted on qsp-a and qsp-b, and nobody tells which of them serves"
    assert "squid-ha status" in ended.remedy


def test_following_does_not_end_at_a_first_answer_that_is_not_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def followed(follower: Follower, show: Callable[[list[bytes], str], None]) -> None:
        show([b"one"], "qsp-a")

    def torn(command: Command) -> str:
        return "yes\n" if command.label == "mountpoint /mnt/mirror" else "12 3"

    hosts = FakeHosts(site, [FakeNode("qsp-a", torn), FakeNode("qsp-b", not_mounted)])
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    monkeypatch.setattr("operations.logs.follow.follow", followed)
    done = alone(logs.command, ["lab", "-f"])
    assert (done.exit_code, done.stdout) == (0, "one\n")
    assert "is not understood" in str(alone(logs.command, ["lab"]).exception)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "environment", "shown"),
    [
        (io.TextIOWrapper, {}, b"GET /\x1b[2J\xff\n::add-mask::e\n"),
        (io.TextIOWrapper, {"GITHUB_ACTIONS": "true"}, b"GET /\xef\xbf\xbd[2J\\xff\n| ::add-mask::e\n"),
        (Terminal, {}, b"GET /\xef\xbf\xbd[2J\\xff\n| ::add-mask::e\n"),
    ],
    ids=["file", "runner", "terminal"],
)
def test_records_are_as_squid_wrote_them_but_give_no_orders_to_a_terminal_or_a_runner(
    kind: type[io.TextIOWrapper], environment: dict[str, str], shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", kind(written))
    monkeypatch.setattr(os, "environ", environment)
    logs._show_records([b"GET /\x1b[2J\xff", b"::add-mask::e"])
    assert written.getvalue() == shown


def test_a_document_of_each_record_gives_no_orders(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    logs._following(as_json=True)([b"\x7f##[add-mask]e"], "qsp-a")
    assert capfdbinary.readouterr().out == b'{"node": "qsp-a", "record": "\\u007f#\\u0023[add-mask]e"}\n'
