"""A disk of the mirror that fails: it finishes no write any more, or answers each with an error.

What that does to the proxy is what is declared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from benchmarks.durability.cut import stack_with
from lab import control, demo, load
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.cuts import ALL
from tests.support.stack import DRIFT

if TYPE_CHECKING:
    from operations.site import Hosts
    from tests.cluster.conftest import Machines

pytestmark = pytest.mark.timeout(3600 if ALL else 1500)
TURNS = pytest.mark.turns("a disk or a power cut")
"""For those that `make test` has the time for."""

BOOT = "cat /proc/sys/kernel/random/boot_id"
DISK = "drbdsetup events2 --now squid-ha | grep -o ' disk:[A-Za-z]*' | head -1"
PASSED_ON = "journalctl --dmesg --output cat | grep -m 1 -F 'disk( UpToDate -> Inconsistent )' || :"
GIVEN_UP = {"disk:Failed", "disk:Diskless"}
"""DRBD is done with the disk as soon as it calls it failed; without a disk it is once the last request came back."""


@contextmanager
def stalled(node: str) -> Generator[None]:
    """A data disk that finishes no write, and does again afterwards."""
    control.call("stall", host=node, disk="data")
    try:
        yield
    finally:
        control.call("stall", host=node, disk="data", stalled=False)


@contextmanager
def failing(node: str) -> Generator[None]:
    """A data disk that answers every write with an error, and carries them out again afterwards."""
    control.call("fail", host=node, disk="data")
    try:
        yield
    finally:
        control.call("fail", host=node, disk="data", failing=False)


@contextmanager
def clients() -> Generator[None]:
    """Requests all the time, so that Squid has something to write; they must be answered at first."""
    file = load.start("frozen", rate=5)
    try:
        demo.await_answers(lambda: load.read(file), 20)
        yield
    finally:
        load.stop(file)


def start(machines: Machines) -> tuple[Hosts, str, str]:
    """The healthy pair: hosts, active node, standby."""
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    active = lab_site.until(lambda: lab_site.active(hosts), "an active node")
    return hosts, active, next(name for name in machines.names if name != active)


def answered(limit: float = 600.0) -> None:
    """Clients get answers again, from requests that began now."""
    file = load.start("again", rate=5)
    try:
        demo.await_answers(lambda: load.read(file), 10, limit=limit)
    finally:
        load.stop(file)


def boot(machines: Machines, node: str) -> str:
    return asyncio.run(machines.sudo(node, BOOT)).strip()


@pytest.mark.long
def test_a_frozen_disk_of_the_active_node_moves_the_service_by_fencing(deployed_pair: Machines) -> None:
    """Nothing is declared: Squid waits for its disk, cannot be stopped, and the node is fenced."""
    hosts, active, standby = start(deployed_pair)
    before = boot(deployed_pair, active)
    with stalled(active):
        with clients():
            lab_site.until(lambda: lab_site.active(hosts) == standby or None, f"the service on {standby}", limit=900)
        answered()
    lab_site.until(lambda: lab_site.healthy(hosts), "the fenced node is back and up to date", limit=1200)
    assert boot(deployed_pair, active) != before, "the node with the frozen disk was not restarted"
    assert lab_site.active(hosts) == standby


@pytest.mark.long
def test_with_a_disk_timeout_the_service_moves_to_the_other_disk_without_fencing(deployed_pair: Machines) -> None:
    hosts, active, standby = start(deployed_pair)
    with stack_with(mirror={"failure": {"disk_timeout": "10s"}}):
        LabStack().up()
        boots = {name: boot(deployed_pair, name) for name in deployed_pair.names}
        with stalled(active):
            with clients():
                lab_site.until(
                    lambda: asyncio.run(deployed_pair.sudo(active, DISK)).strip() in GIVEN_UP or None,
                    "the frozen disk is given up",
                )
            answered()
            lab_site.until(
                lambda: lab_site.active(hosts) == standby or None, f"the service on {standby}, whose disk is good"
            )
            answered()
            after = {name: boot(deployed_pair, name) for name in deployed_pair.names}
            assert after == boots, "a node was fenced although the disk was given up"
    # What the disk still writes now goes anywhere: the next test begins with a restored pair.


@pytest.mark.long
def test_a_frozen_disk_of_the_standby_is_cut_off_and_the_service_goes_on(deployed_pair: Machines) -> None:
    hosts, active, standby = start(deployed_pair)
    boots = {name: boot(deployed_pair, name) for name in deployed_pair.names}
    with stalled(standby):
        with clients():
            lab_site.until(lambda: connected(hosts, active) is False or None, f"{standby} is cut off")
        answered()
        assert lab_site.active(hosts) == active
    lab_site.until(lambda: lab_site.healthy(hosts), "the standby is up to date again", limit=1200)
    assert {name: boot(deployed_pair, name) for name in deployed_pair.names} == boots, "a node was fenced"


def connected(hosts: Hosts, node: str) -> bool | None:
    """Whether a node sees the other half; None while that cannot be told."""
    status = lab_site.status(hosts)
    view = status.mirror.get(node) if status else None
    return None if view is None or view.trouble else view.connected


@TURNS
def test_a_disk_of_the_active_node_that_reports_errors_is_detached_and_loses_the_service(
    deployed_pair: Machines,
) -> None:
    hosts, active, standby = start(deployed_pair)
    stack, boots = LabStack(), {name: boot(deployed_pair, name) for name in deployed_pair.names}
    with failing(active):
        with clients():
            lab_site.until(
                lambda: asyncio.run(deployed_pair.sudo(active, DISK)).strip() in GIVEN_UP or None,
                "the disk that reports errors is detached",
            )
            lab_site.until(
                lambda: lab_site.active(hosts) == standby or None, f"the service on {standby}, whose disk is good"
            )
        answered()
    drift = stack.drift()
    assert drift.code == DRIFT, drift.output
    assert stack.changed(drift.output) == {"mirror"}, drift.output
    stack.up("--refresh")
    lab_site.until(lambda: lab_site.healthy(hosts), "the disk is attached again and up to date", limit=1200)
    assert lab_site.active(hosts) == standby
    assert {name: boot(deployed_pair, name) for name in deployed_pair.names} == boots, "a node was fenced"


@TURNS
def test_a_disk_of_the_standby_that_reports_errors_is_not_noticed_by_clients(deployed_pair: Machines) -> None:
    hosts, active, standby = start(deployed_pair)
    with failing(standby):
        file = load.start("standby", rate=5)
        try:
            lab_site.until(
                lambda: asyncio.run(deployed_pair.sudo(standby, DISK)).strip() in GIVEN_UP or None,
                "the standby's disk is detached",
            )
            demo.await_answers(lambda: load.read(file), 50)
        finally:
            records = load.stop(file)
        assert sum(record.answered for record in records) > 0.95 * len(records)
        assert lab_site.active(hosts) == active
        seen = lab_site.until(lambda: lab_site.status(hosts), "the site's status")
        assert not seen.sound, "a mirror without redundancy is shown as well"
    LabStack().up("--refresh")
    lab_site.until(lambda: lab_site.healthy(hosts), "the disk is attached again and up to date", limit=1200)


@pytest.mark.long
def test_with_pass_on_an_error_costs_a_block_until_the_mirrors_own_notes_fail_too(deployed_pair: Machines) -> None:
    """This disk fails every write, those of DRBD's metadata among them, and without these DRBD keeps no disk."""
    hosts, active, _ = start(deployed_pair)
    with stack_with(mirror={"failure": {"on_error": "pass_on"}}):
        LabStack().up()
        boots = {name: boot(deployed_pair, name) for name in deployed_pair.names}
        # Writing to places that were not in use lately begins with a note in the metadata.
        answered()
        with failing(active):
            with clients():
                lab_site.until(
                    lambda: asyncio.run(deployed_pair.sudo(active, PASSED_ON)).strip() or None,
                    "the disk is kept and marked as inconsistent",
                )
                lab_site.until(
                    lambda: asyncio.run(deployed_pair.sudo(active, DISK)).strip() in GIVEN_UP or None,
                    "the disk is detached after all",
                )
            answered()
        lab_site.until(lambda: lab_site.status(hosts), "the site's status")
        assert {name: boot(deployed_pair, name) for name in deployed_pair.names} == boots, "a node was fenced"
