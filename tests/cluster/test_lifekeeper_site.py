"""The lab's whole site by the engine `lifekeeper`, on the stand-in: made by Pulumi, proved under load, drilled."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from lab import demo, plug
from lab.errors import LabError
from lab.narrate import Narrator
from operations.drill import chart, saved
from operations.drill.options import Options
from operations.drill.site import drill
from providers.lifekeeper import alerts
from tests.cluster import declared, lab_site
from tests.cluster.following import follow_over
from tests.cluster.halves import LOG, refusing, routes_that_cut_off, serves
from tests.cluster.lab_stack import LabStack
from tests.cluster.lost_line import delete_one

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * 3600)]

LEFT_OUT = {"peers-disk-frozen", "public-network-cut", "squid-hung"}
"""What this engine does not look at, as its guide says."""


@pytest.fixture(scope="module")
def stack_file_says(machines: Machines) -> Iterator[None]:
    """This engine."""
    assert machines
    with declared.declared("lifekeeper"):
        yield


@pytest.fixture
def site(stack_file_says: None, machines: Machines) -> Machines:
    """The pair with the site on it, each test's own."""
    declared.bring("lifekeeper")
    return machines


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


def test_the_command_shows_each_answered_request_once_over_a_switchover(site: Machines, tmp_path: Path) -> None:
    assert site
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)

    def move() -> None:
        done = lab_site.squid_ha("switchover", "lab")
        assert done.returncode == 0, done.stdout + done.stderr

    follow_over(move, tmp_path)


def test_after_both_lost_their_power_only_the_last_source_starts_alone(site: Machines) -> None:
    hosts = lab_site.reach()
    before = lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)
    active = before.tree.active
    assert active is not None
    standby = lab_site.other(hosts, active)
    for name in (standby, active):
        asyncio.run(site.power_off(name))

    asyncio.run(site.power_on(standby))
    lab_site.until(lambda: answers(site, standby), f"LifeKeeper answers on {standby}", limit=600)
    refused = lab_site.squid_ha("start", "--alone", "lab", standby, "--peer-is-off")
    assert refused.returncode == 5, refused.stdout + refused.stderr
    assert "was not in service here last" in refused.stderr
    states = asyncio.run(site.sudo(standby, "/opt/LifeKeeper/bin/ins_list -f: | cut -d: -f7 | sort -u"))
    assert states.split() == ["OSU"], "it serves, or failed, with a half that may be the older one"
    asyncio.run(site.power_off(standby))

    asyncio.run(site.power_on(active))
    lab_site.until(lambda: answers(site, active), f"LifeKeeper answers on {active}", limit=600)
    assert lab_site.squid_ha("start", "--alone", "lab", active).returncode == 5, "nobody was asked"
    done = lab_site.squid_ha("start", "--alone", "lab", active, "--peer-is-off")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "for the newest" in done.stderr, "the mirror came up without being forced"
    hosts = lab_site.reach()
    assert lab_site.active(hosts) == active
    asyncio.run(site.power_on(standby))
    after = lab_site.until(lambda: lab_site.healthy(hosts), "the other node has joined", limit=2400)
    assert after.tree.active == active


def answers(machines: Machines, name: str) -> bool | None:
    """True once the node has booted and LifeKeeper runs there."""
    try:
        return asyncio.run(machines.run(name, "sudo /opt/LifeKeeper/bin/lktest")).code == 0 or None
    except LabError:
        return None


def test_a_line_deleted_from_the_mirror_is_found_by_a_drill(site: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)
    deleted = delete_one(site, monkeypatch)
    options = Options(["planned-move"], patience=900.0, plug=plug.plug)
    report = hosts.run(drill(hosts.cluster(), hosts.site, "lab", options))
    (found,) = report.scenarios
    assert {text.split(":")[0] for text in found.findings} - {"gap"} == {"lost"}
    assert deleted[0] in found.lost_ids


LOOK = "/root/lifekeeper-look"
WORDS = "node=qsp-a node=qsp-b service=ip-192.0.2.10 mirror=datarep-mirror"


def looked(machines: Machines, name: str) -> str:
    """What the alerts' look on a node finds."""
    return asyncio.run(machines.sudo(name, f"mkdir -p {LOOK}.d; sh {LOOK} {LOOK}.d {WORDS}"))


@pytest.mark.parametrize("given_up", ["the node that had the service", "the one that took it over"])
def test_of_two_halves_that_both_serve_one_is_given_up_and_all_of_it_copied(site: Machines, given_up: str) -> None:
    """A pair without quorum, cut in two: each node takes the other one for dead, and serves."""
    hosts, machines = lab_site.reach(), site
    before = lab_site.until(lambda: lab_site.healthy(hosts), "the mirror is the same on both nodes", limit=1800)
    active = before.tree.active
    assert active is not None
    standby = lab_site.other(hosts, active)
    for name in machines.names:
        asyncio.run(machines.sudo(name, f"printf %s {shlex.quote(alerts.look())} > {LOOK}"))
        assert "split_brain well" in looked(machines, name)
    for name in machines.names:
        asyncio.run(machines.sudo(name, "; ".join(f"ip route add {route}" for route in routes_that_cut_off(name))))
    lab_site.until(lambda: serves(machines, standby), "the standby node serves its own half", limit=900)
    for name in machines.names:
        asyncio.run(machines.sudo(name, f"echo only-on-{name} >>{LOG}; sync"))
    assert "split_brain" not in looked(machines, standby), "neither sees the other one"
    for name in machines.names:
        asyncio.run(machines.sudo(name, "; ".join(f"ip route del {route}" for route in routes_that_cut_off(name))))
    assert lab_site.until(lambda: refusing(hosts), "each is seen on both", limit=300) == set(machines.names)
    lab_site.until(
        lambda: "split_brain wrong" in looked(machines, active) or None, "a path between them lives again", limit=300
    )
    victim, survivor = (active, standby) if given_up.endswith("had the service") else (standby, active)
    lab_site.until(lambda: hears(machines, survivor, victim), "the survivor hears the victim", limit=300)
    done = lab_site.squid_ha("resolve", "split-brain", "lab", "--victim", victim, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    after = lab_site.until(lambda: lab_site.healthy(hosts), "the victim has been copied", limit=2400)
    assert after.tree.active == survivor
    rows = [line.split() for line in done.stderr.splitlines() if "/split-brain/" in line]
    # A victim that served is saved a second time, so each half has a folder of its own.
    saved = {row[0]: row[-1] for row in rows if row[0] in machines.names}
    for name in machines.names:
        assert f"only-on-{name}" in asyncio.run(machines.sudo(name, f"cat {saved[name]}/access.log"))
    assert "split_brain well" in looked(machines, survivor)
    # What the victim wrote is nowhere on its own half either: all of it was copied, not what the survivor had changed.
    moved = lab_site.squid_ha("switchover", "lab")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    log = asyncio.run(machines.sudo(victim, f"cat {LOG}"))
    assert f"only-on-{survivor}" in log
    assert f"only-on-{victim}" not in log


def hears(machines: Machines, name: str, other: str) -> bool | None:
    """True once LifeKeeper on ``name`` takes the other one for alive."""
    said = asyncio.run(machines.sudo(name, f"/opt/LifeKeeper/bin/sys_getst -s {other}"))
    return said.strip() == "ALIVE" or None
