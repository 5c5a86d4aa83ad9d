"""`squid-ha verify` on the real pair: all is well, over a move and back, and over rotations under load."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from lab import demo, load
from operations.verify import Options, verify, verify_rotation
from tests.cluster import lab_site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines


@pytest.mark.long
def test_a_move_and_back_and_rotations_on_both_nodes_leave_every_record_there(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    for name in deployed_pair.names:
        asyncio.run(deployed_pair.sudo(name, "chronyc waitsync 300 0.4 0 1 >/dev/null", timeout=400))
    before = lab_site.active(hosts)

    report = hosts.run(verify(hosts.cluster(), hosts.site, "lab", Options(move=True)))
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.proof is not None
    assert report.proof.passed, report.proof.reasons

    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy after the move")
    rotated = hosts.run(verify_rotation(hosts.cluster(), hosts.site, "lab", hosts.owner, Options()))
    assert rotated.passed, [check for check in rotated.checks if not check.passed]
    assert {change.node for change in rotated.files} == set(deployed_pair.names)
    assert lab_site.active(hosts) == before

    asyncio.run(deployed_pair.sudo(before or "", "systemctl stop chrony"))
    found = hosts.run(verify(hosts.cluster(), hosts.site, "lab", Options()))
    assert [(check.name, check.where) for check in found.checks if not check.passed] == [("clock", before)]


@pytest.mark.long
def test_no_record_is_lost_or_doubled_when_both_nodes_rotate_while_clients_ask(deployed_pair: Machines) -> None:
    hosts, before = lab_site.ready()
    run = f"r{time.time():.0f}"
    file = load.start(run, rate=demo.RATE)
    try:
        demo.await_answers(lambda: load.read(file), demo.BETWEEN)
        done = lab_site.squid_ha("verify", "rotation", "lab")
        assert done.returncode == 0, done.stdout + done.stderr
        rotated = time.time()
        demo.await_answers(lambda: [each for each in load.read(file) if each.start > rotated], demo.BETWEEN)
    finally:
        records = load.stop(file)
    requests = [demo.request_of(record) for record in records]
    proof = demo.count(hosts, run, requests, [])
    assert (proof.lost, proof.doubled) == ([], []), proof
    # The log itself, and what each node has rotated out of it.
    assert len(proof.mirror.files) == 1 + len(deployed_pair.names), proof.mirror.files
    assert lab_site.active(hosts) == before
