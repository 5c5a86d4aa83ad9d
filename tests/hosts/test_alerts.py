"""Alerts on the container pair: real Pacemaker, a real listener and a mail server that take what the nodes send."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from lab import control
from operations import alerts
from operations.engines import engine_of
from providers import reconcile
from providers.connection.loop import run_sync
from tests.hosts.conftest import wait_for_ssh
from tests.support import receiver
from tests.support.sites import on_containers
from tests.support.things import OWNER, Site, site

TOKEN = 'to"ken-of-the-tests'
ORIGIN = "192.0.2.1"
SPOOL = "/var/spool/squid-ha"
ALERTS = {
    "mail": {
        "to": ["ops@example.org", "night@example.org"],
        "sender": "squid-ha@example.org",
        "relay": {"host": ORIGIN, "port": receiver.SMTP},
    },
    "webhook": {"secret_url": {"secret": "alert-url"}, "token": {"secret": "alert-token"}},
    "events": ["failover", "node_lost", "fencing"],
    "pause": "1s",
}
SECRETS = {"alert-url": f"http://{ORIGIN}:{receiver.HTTP}/hooks/x", "alert-token": TOKEN}
# What the agent notes when the service has come to its node, and since when.
ARRIVED = f"stat -c %Y {SPOOL}/agent/arrived 2>/dev/null || echo 0"
WAITING = f"find {SPOOL}/new {SPOOL}/queue -type f | wc -l"

pytestmark = [pytest.mark.spare, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def book(lab: Path) -> Iterator[Path]:
    """What was received; the receiver runs in the lab's own network."""
    path = lab / "received.jsonl"
    script = str(Path(receiver.__file__))
    control.call("spawn", name="receiver", namespace="origin", argv=[sys.executable, script, ORIGIN, str(path)])
    yield path
    control.call("end", name="receiver")


@pytest.fixture(scope="module")
def declared(pair):
    return read(on_containers(pair.directory) | {"alerts": ALERTS}, "x")


@pytest.fixture(scope="module")
def hosts(pair, declared, book) -> Site:
    """The pair with everything of the site on it."""
    opened = site(pair)
    opened.cluster = replace(opened.cluster, secret=SECRETS.get)
    for thing in things(declared, OWNER):
        opened.apply(thing.kind, thing.name, reconcile.sealed(thing.kind, thing.inputs, SECRETS.get))
    return opened


def of_kind(book: Path, event: str) -> list[dict[str, Any]]:
    """What was received of one kind of event, by both ways."""
    return [
        each
        for each in receiver.read(book)
        if (each["by"] == "webhook" and each["body"]["event"] == event) or f"{event} on " in each.get("text", "")
    ]


def wait_for(condition, what: str, limit: float = 180) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.5)


def active(hosts: Site) -> str:
    (found,) = [node for node in hosts.cluster.nodes if "192.0.2.10/" in hosts.sh(node, "ip -o address show dev eth0")]
    return found


def test_a_test_reaches_everybody_with_the_token_and_shows_it_nowhere(hosts, book):
    tries = run_sync(alerts.test(hosts.cluster))
    assert [(each.node, each.channel, each.delivered) for each in tries] == [
        ("qsp-a", "mail", True), ("qsp-a", "webhook", True), ("qsp-b", "mail", True), ("qsp-b", "webhook", True),
    ], tries  # fmt: skip
    mails = [each for each in of_kind(book, "test") if each["by"] == "mail"]
    posts = [each for each in of_kind(book, "test") if each["by"] == "webhook"]
    assert [each["to"] for each in mails] == [["ops@example.org", "night@example.org"]] * 2
    assert {each["headers"]["authorization"] for each in posts} == {f"Bearer {TOKEN}"}
    assert {each["path"] for each in posts} == {"/hooks/x"}
    for node in hosts.cluster.nodes:
        assert hosts.sh(node, "stat -c '%a %U' /etc/squid-ha/alerts.token").strip() == "600 root"
        assert "of-the-tests" not in hosts.sh(node, "journalctl --no-pager; cat /etc/squid-ha/alerts.conf")


def test_everything_is_as_declared_afterwards(hosts, declared):
    for thing in things(declared, OWNER):
        if "alerts" in thing.name:
            wanted = reconcile.sealed(thing.kind, thing.inputs, SECRETS.get)
            assert hosts.drift(thing.kind, thing.name, wanted) == []


def test_neither_the_first_start_nor_a_switchover_is_a_failover(hosts, declared, book):
    source = active(hosts)
    target = next(node for node in hosts.cluster.nodes if node != source)
    before = int(hosts.sh(target, "date +%s"))
    run_sync(engine_of(declared).runtime.switchover(hosts.cluster, target))
    wait_for(lambda: int(hosts.sh(target, ARRIVED)) >= before, "the agent on the target")
    wait_for(lambda: hosts.sh(target, WAITING).strip() == "0", "what waits to be sent")
    assert active(hosts) == target
    assert of_kind(book, "failover") == []


def test_a_failover_is_told_once_with_both_nodes(hosts, book):
    victim = active(hosts)
    survivor = next(node for node in hosts.cluster.nodes if node != victim)
    control.call("kill", host=victim)
    wait_for(lambda: len(of_kind(book, "failover")) >= 2, "the failover by mail and webhook")
    wait_for(lambda: hosts.sh(survivor, WAITING).strip() == "0", "what waits to be sent")
    found = of_kind(book, "failover")
    assert sorted(each["by"] for each in found) == ["mail", "webhook"]
    sentence = f"the service failed over from {victim} to {survivor}"
    for each in found:
        assert sentence in (each["text"] if each["by"] == "mail" else each["body"]["text"])
    assert len(of_kind(book, "node_lost")) == 2

    control.call("start", host=victim)
    wait_for_ssh((victim,))
    wait_for(lambda: len(of_kind(book, "node_lost")) == 4, "the return of the node")
    assert len(of_kind(book, "failover")) == 2, "its return was told as a failover"


def test_nothing_is_left_behind(pair, declared):
    hosts = site(pair)
    hosts.cluster = replace(hosts.cluster, secret=SECRETS.get)
    left = [thing for thing in things(declared, OWNER) if "alerts" in thing.name]
    for thing in reversed(left):
        hosts.remove(thing.kind, thing.name, reconcile.sealed(thing.kind, thing.inputs, SECRETS.get))
    for node in hosts.cluster.nodes:
        assert hosts.sh(node, f"ls -d {SPOOL} /usr/lib/squid-ha /etc/squid-ha/alerts* 2>/dev/null; true") == ""
        assert "alerts" not in hosts.sh(node, "systemctl list-unit-files --no-legend --no-pager 'squid-ha-*'; true")
        assert "squid-ha-alerts" not in hosts.sh(node, "cibadmin --query")
