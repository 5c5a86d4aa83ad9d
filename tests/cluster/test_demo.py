"""The demo's proof on the real pair: green when all records are there, red when one is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console

from lab import demo
from lab.narrate import Narrator
from tests.cluster import lab_site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines


def test_the_proof_of_both_moves_is_green_and_red_without_one_record(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    narrator = Narrator(Console(highlight=False, soft_wrap=True), 1)
    with narrator.step("moves"):
        demo.await_health(hosts, narrator)
        run, requests, moves = demo.moves_under_load(hosts, narrator)
    assert [each.done for each in moves] == [True, True]
    assert (moves[0].source, moves[0].target) == (moves[1].target, moves[1].source)

    proof = demo.count(hosts, run, requests, moves)
    assert proof.passed, proof.reasons
    assert proof.answered >= 3 * demo.BETWEEN
    assert all(stand.records > 0 for stand in proof.local.values()), "a node has no record in its local log"
    assert proof.mirror.node == moves[1].target

    victim = next(request.id for request in requests if request.answered)
    assert delete_record(deployed_pair, proof.mirror.node, victim) == 1
    proof = demo.count(hosts, run, requests, moves)
    assert not proof.passed
    assert proof.lost == [victim]
    assert victim in next(reason.detail for reason in proof.reasons if reason.name == "lost")


def delete_record(machines: Machines, node: str, request: str) -> int:
    """Take a request's line out of the mirror's log; how many lines that were."""
    log = "/mnt/mirror/squid/access.log"
    script = f"""
grep -cF '/r/{request} ' {log}
grep -vF '/r/{request} ' {log} > /mnt/mirror/without
cat /mnt/mirror/without > {log}
rm /mnt/mirror/without
"""
    return int(asyncio.run(machines.sudo(node, script)))
