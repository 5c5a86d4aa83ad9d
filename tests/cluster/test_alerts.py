"""What people are told of, end to end: something happens to the pair, and a mail server and a listener have it.

On either engine. Each event is told once by both ways, and what lasted is told again when it is over.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from lab import control
from lab.addresses import NODES
from operations.project import stack_file
from operations.site import Hosts
from tests.cluster import declared, lab_site
from tests.cluster.halves import LOG, routes_that_cut_off, serves
from tests.cluster.lab_stack import LabStack
from tests.support import receiver

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]

ORIGIN = "192.0.2.1"
WAYS = {"mail", "webhook"}
ALERTS = {
    "mail": {
        "to": ["ops@example.org"],
        "sender": "squid-ha@example.org",
        "relay": {"host": ORIGIN, "port": receiver.SMTP, "tls": "none"},
    },
    "webhook": {"url": f"http://{ORIGIN}:{receiver.HTTP}/hooks/x"},
    "mirror_full": 10,
    "check_every": "10s",
    "pause": "1s",
}
WITHIN = 600.0
"""Seconds for a look, a second one and the sending, on emulated machines."""


@dataclass(frozen=True)
class Told:
    """What one of both ways has brought."""

    way: str
    event: str
    node: str
    text: str


@dataclass(frozen=True)
class Alerted:
    """The pair with its alerts on, and what was received of them."""

    machines: Machines
    engine: str
    book: Path

    def told(self, event: str, *words: str) -> list[Told]:
        """What was received of a kind of event, each of the words in its text."""
        found = [_told(each) for each in receiver.read(self.book)]
        return [each for each in found if each.event == event and all(word in each.text for word in words)]

    def wait(self, event: str, *words: str) -> list[Told]:
        """As `told`, once both ways have brought it."""

        def by_both() -> list[Told] | None:
            found = self.told(event, *words)
            return found if {each.way for each in found} == WAYS else None

        return lab_site.until(by_both, f"{event} with {words} by mail and webhook", limit=WITHIN)

    def forget(self) -> None:
        """What was received so far is of something else."""
        self.book.unlink(missing_ok=True)

    def sudo(self, node: str, script: str) -> str:
        """Run a script as root."""
        return asyncio.run(self.machines.sudo(node, script, timeout=300))

    def well(self) -> tuple[Hosts, str, str]:
        """The site, once it is well, with its active and its standby node."""
        hosts = lab_site.reach()
        found = lab_site.until(lambda: lab_site.healthy(hosts), "the site is well", limit=1800)
        assert found.tree.active is not None
        return hosts, found.tree.active, lab_site.other(hosts, found.tree.active)


def _told(each: dict[str, object]) -> Told:
    if each["by"] == "webhook":
        body = each["body"]
        assert isinstance(body, dict)
        return Told("webhook", body["event"], body["node"], body["text"])
    lines = str(each["text"]).splitlines()
    (subject,) = [line for line in lines if line.startswith("Subject: ")]
    _, event, _, node, *_ = subject.removeprefix("Subject: ").split()
    return Told("mail", event, node.rstrip(":"), str(each["text"]))


@pytest.fixture(scope="module", params=["pacemaker", "lifekeeper"])
def alerted(request: pytest.FixtureRequest, machines: Machines, tmp_path_factory: pytest.TempPathFactory):
    """The lab's site by an engine with its alerts; afterwards the stack file as it was, on a bare pair."""
    yield from _alerted(request.param, machines, tmp_path_factory.mktemp("alerts") / "received.jsonl")


def _alerted(engine: str, machines: Machines, book: Path) -> Iterator[Alerted]:
    script = str(Path(receiver.__file__))
    control.call("spawn", name="receiver", namespace="origin", argv=[sys.executable, script, ORIGIN, str(book)])
    try:
        with declared.declared(engine):
            declared.bring(engine)
            path = stack_file("lab")
            document = yaml.safe_load(path.read_text())
            document["config"]["squid-ha:site"]["alerts"] = ALERTS
            path.write_text(yaml.safe_dump(document, sort_keys=False))
            LabStack().up(timeout=1800)
            yield Alerted(machines, engine, book)
    finally:
        control.call("end", name="receiver")


def test_a_test_comes_from_both_nodes_by_both_ways(alerted: Alerted) -> None:
    alerted.well()
    alerted.forget()
    done = lab_site.squid_ha("alerts", "test", "lab")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {(each.way, each.node) for each in alerted.wait("test")} == {(way, node) for way in WAYS for node in NODES}


def test_a_clock_that_is_off_is_told_and_drift_until_it_is_right(alerted: Alerted) -> None:
    """Set by hand, under a time service that was told to step no clock: it draws this one back over minutes."""
    _, _, standby = alerted.well()
    alerted.forget()
    alerted.sudo(
        standby, "chronyc makestep 1 0 >/dev/null; date --set='+30 seconds' >/dev/null; chronyc burst 4/4 >/dev/null"
    )

    def named() -> str | None:
        drift = lab_site.squid_ha("drift", "lab")
        return drift.stdout if drift.returncode == 3 and "stratum" in drift.stdout else None

    said = lab_site.until(named, "drift names the clock with source, stratum and offset", limit=WITHIN)
    line = next(line for line in said.splitlines() if "stratum" in line)
    assert standby in line, said
    assert ORIGIN in line, said
    assert {each.node for each in alerted.wait("clock", "off")} == {standby}
    alerted.sudo(standby, "systemctl restart chrony")
    assert {each.node for each in alerted.wait("clock", "well again")} == {standby}
    assert len(alerted.told("clock")) == 2 * len(WAYS), alerted.told("clock")
    lab_site.until(lambda: lab_site.squid_ha("drift", "lab").returncode == 0 or None, "no drift", limit=WITHIN)


FILL = "dd if=/dev/zero of=/mnt/mirror/filler bs=1M count=200 status=none"


def test_a_mirror_that_fills_up_is_told_by_the_active_node_and_again_when_there_is_room(alerted: Alerted) -> None:
    _, active, _ = alerted.well()
    alerted.forget()
    alerted.sudo(active, FILL)
    assert {each.node for each in alerted.wait("mirror_full", "told from 10 % on")} == {active}
    alerted.sudo(active, "rm /mnt/mirror/filler")
    assert {each.node for each in alerted.wait("mirror_full", "well again")} == {active}
    assert len(alerted.told("mirror_full")) == 2 * len(WAYS), alerted.told("mirror_full")


def test_a_mirror_out_of_sync_is_told_by_the_active_node_and_again_when_it_is_in_sync(alerted: Alerted) -> None:
    _, active, standby = alerted.well()
    alerted.forget()
    asyncio.run(alerted.machines.cut(standby, "rep"))
    try:
        assert {each.node for each in alerted.wait("mirror_unsynced", "mirror")} == {active}
    finally:
        asyncio.run(alerted.machines.heal(standby))
    assert {each.node for each in alerted.wait("mirror_unsynced", "up to date on both nodes")} == {active}
    assert alerted.told("failover") == []


def test_a_node_without_power_is_told_as_a_failover_by_the_one_that_took_over(alerted: Alerted) -> None:
    """With Pacemaker also that it was lost, fenced, and is back."""
    _, victim, survivor = alerted.well()
    alerted.forget()
    asyncio.run(alerted.machines.power_off(victim))
    found = alerted.wait("failover", f"the service failed over from {victim} to {survivor}")
    assert {each.node for each in found} == {survivor}
    if alerted.engine == "pacemaker":
        assert {each.node for each in alerted.wait("node_lost", victim)} == {survivor}
        assert {each.node for each in alerted.wait("fencing", victim)} == {survivor}
    asyncio.run(alerted.machines.power_on(victim))
    alerted.well()
    assert len(alerted.told("failover")) == len(WAYS), "its return was told as a failover"


WRITTEN_APART = """
drbdadm disconnect squid-ha
drbdadm --force primary squid-ha
mkdir -p /tmp/half && mount /dev/drbd0 /tmp/half && echo only-there >>/tmp/half/squid/access.log
umount /tmp/half; drbdadm secondary squid-ha
"""


def _written_apart(alerted: Alerted, active: str, standby: str) -> None:
    """DRBD's halves without a cut network, because Pacemaker would fence a node for that."""
    assert lab_site.squid_ha("maintenance", "on", "lab").returncode == 0
    for name in NODES:
        alerted.sudo(name, "drbdsetup disk-options 0 --fencing=dont-care")
    alerted.sudo(standby, WRITTEN_APART)
    alerted.sudo(active, f"drbdadm disconnect squid-ha; echo only-here >>{LOG}")
    for name in NODES:
        alerted.sudo(name, "drbdadm connect squid-ha")


def _cut_in_two(alerted: Alerted, active: str, standby: str) -> None:
    """Each node takes the other one for dead, and serves its own half, until they see each other again."""
    for name in (active, standby):
        alerted.sudo(name, "; ".join(f"ip route add {route}" for route in routes_that_cut_off(name)))
    lab_site.until(lambda: serves(alerted.machines, standby), "the standby node serves its own half", limit=900)
    for name in (active, standby):
        alerted.sudo(name, "; ".join(f"ip route del {route}" for route in routes_that_cut_off(name)))


SPLIT = {"pacemaker": _written_apart, "lifekeeper": _cut_in_two}


def test_two_halves_that_were_both_written_are_told_as_a_split_brain(alerted: Alerted) -> None:
    """The last one: it leaves the site split."""
    _, active, standby = alerted.well()
    alerted.forget()
    SPLIT[alerted.engine](alerted, active, standby)
    assert alerted.wait("split_brain")
