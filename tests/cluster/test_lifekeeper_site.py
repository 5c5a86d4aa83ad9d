"""The lab's whole site by the engine `lifekeeper`, on the stand-in: made by Pulumi, proved under load, drilled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from lab import demo, deployed, lifekeeper, plug, snapshot
from lab.narrate import Narrator
from operations.drill import chart, saved
from operations.drill.site import Options, drill
from operations.stacks import ensure_stack, write_lab
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * 3600)]

LEFT_OUT = {"public-network-cut", "squid-hung"}
"""What this engine does not look at, as its guide says."""


@pytest.fixture(scope="module")
def declared(machines: Machines) -> Iterator[Machines]:
    """The lab's stack file with this engine; afterwards with the other one again, on a bare pair."""
    write_lab(engine="lifekeeper")
    ensure_stack("lab")
    yield machines
    write_lab(engine="pacemaker")
    snapshot.restore(snapshot.BARE)


@pytest.fixture
def site(declared: Machines) -> Machines:
    """The pair with the site on it, each test's own."""
    key = deployed.key()
    if snapshot.exists(deployed.NAME, key):
        snapshot.restore(deployed.NAME, key)
    else:
        snapshot.restore(snapshot.BARE)
        for name in declared.names:
            asyncio.run(lifekeeper.ensure(name))
        deployed.deploy(timeout=2400)
        snapshot.save(deployed.NAME, deployed.key())
    return declared


def test_what_was_made_has_no_diff_and_keeps_every_record_over_both_moves(site: Machines) -> None:
    hosts = lab_site.reach()
    assert hosts.site.engine == "lifekeeper"
    lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)
    stack = LabStack()
    assert "unchanged" in stack.preview("--expect-no-changes").output
    drift = stack.drift()
    assert drift.code == 0, drift.output
    narrator = Narrator(Console(highlight=False, soft_wrap=True), 1)
    with narrator.step("moves"):
        run, requests, moves = demo.moves_under_load(hosts, narrator)
    assert [each.done for each in moves] == [True, True]
    proof = demo.count(hosts, run, requests, moves)
    assert proof.passed, proof.reasons


def test_it_does_in_a_drill_what_it_states(site: Machines) -> None:
    """All scenarios that this engine has, in one drill. Times of an emulated pair say nothing."""
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)
    options = Options((), knows=True, patience=900.0, plug=plug.plug)
    report = hosts.run(drill(hosts.cluster(), hosts.site, "lab", options))
    chart.write(report, saved.save(report).with_suffix(".html"))
    found = {each.name: {text.split(":")[0] for text in each.findings} - {"gap"} for each in report.scenarios}
    assert {name: what for name, what in found.items() if what} == {}
    assert set(report.left_out) == LEFT_OUT, report.left_out
