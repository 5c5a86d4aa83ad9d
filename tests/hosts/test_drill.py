"""Drills of a real pair of Pacemaker, on containers: no mirror, no fencing, no clock; but the service moves for real.

Without a lab's hold of cables and power, as on a production site, unless a test says otherwise.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import pytest

from blueprint.site import things
from declaration.load import read
from declaration.site import Site as Declared
from lab import plug
from operations.drill import chart, disturbances, interruptible
from operations.drill.hands import SiteHands
from operations.drill.model import DrillReport
from operations.drill.options import Options
from operations.drill.plug import NoPlug, Plug
from operations.drill.ready import readiness
from operations.drill.site import drill
from operations.engines import engine_of
from providers.connection.errors import Refused
from providers.connection.loop import run_sync
from tests.support.sites import on_containers
from tests.support.things import Site, site

pytestmark = [pytest.mark.spare, pytest.mark.timeout(1200)]

NAME = "test-drill"
OWNER = f"squid-ha/{NAME}"
UNITS = "systemctl list-units --all --plain --no-legend 'squid-ha-drill*'; nft list tables; ls -A /run/squid-ha"


@pytest.fixture(scope="module")
def declared(pair) -> Declared:
    return read(on_containers(pair.directory), "test")


@pytest.fixture(scope="module")
def hosts(pair, declared) -> Site:
    """The pair with the site on it, without Pulumi's doing."""
    opened = site(pair, owner=OWNER, name=NAME)
    for each in things(declared, OWNER):
        opened.apply(each.kind, each.name, each.inputs)
    return opened


def drilled(hosts: Site, declared: Declared, *names: str, hold: Plug | None = None) -> DrillReport:
    options = Options(names, knows=True, rate=5, patience=120, plug=hold or NoPlug(), machine="containers")
    return run_sync(drill(hosts.cluster, declared, NAME, options))


def left(hosts: Site) -> list[str]:
    """What a drill may have left on the nodes: units, rules, files."""
    found = [line for node in hosts.cluster.nodes for line in hosts.sh(node, UNITS, ok=None).splitlines()]
    return [line for line in found if not line.endswith(".lock") and "drill" in line]


def ready_within(hosts: Site, declared: Declared, limit: float) -> str | None:
    """The active node of the site once it is ready for a drill again."""
    deadline = time.monotonic() + limit
    while True:
        try:
            return run_sync(readiness(hosts.cluster, declared)).active
        except Refused:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def test_a_planned_move_there_and_back(hosts, declared, tmp_path):
    report = drilled(hosts, declared, "planned-move")
    chart.write(report, tmp_path / "drill.html")
    assert report.verdict == "green", report.scenarios[0].findings
    (moved,) = report.scenarios
    assert moved.active_before == moved.active_after
    assert moved.recovery is not None
    assert moved.longest_gap
    assert moved.sent > 40
    assert moved.recorded >= moved.answered
    assert left(hosts) == []


@pytest.mark.long
def test_a_killed_squid_is_started_again(hosts, declared):
    (killed,) = drilled(hosts, declared, "squid-killed").scenarios
    assert killed.findings == []
    assert killed.recorded >= killed.answered
    assert left(hosts) == []


@pytest.mark.long
def test_a_hung_squid_is_noticed_by_the_engine(hosts, declared):
    report = drilled(hosts, declared, "squid-hung")
    assert report.scenarios[0].findings == []
    assert (report.scenarios[0].longest_gap or 0) > 1
    assert left(hosts) == []


@pytest.mark.long
@pytest.mark.parametrize("hold", [NoPlug(), plug.plug], ids=["rules on the node", "the lab's cable"])
def test_a_cut_public_network_moves_the_service_and_its_return_does_not(hosts, declared, hold):
    report = drilled(hosts, declared, "public-network-cut", hold=hold)
    (cut,) = report.scenarios
    assert cut.findings == []
    assert cut.active_after != cut.active_before
    assert left(hosts) == []


@pytest.mark.long
def test_a_node_put_aside_comes_back_without_the_service(hosts, declared):
    (aside,) = drilled(hosts, declared, "peer-back").scenarios
    assert aside.findings == []
    assert aside.active_after != aside.active_before


@pytest.mark.long
def test_without_fencing_a_node_that_is_lost_is_a_red_verdict(hosts, declared):
    """Containers have nothing to fence with; that the service moved all the same is no excuse."""
    (lost,) = drilled(hosts, declared, "node-off", hold=plug.plug).scenarios
    assert [finding.split(":")[0] for finding in lost.findings] == ["not fenced"]
    assert lost.active_after != lost.active_before


@pytest.mark.long
@pytest.mark.parametrize("name", ["squid-hung", "public-network-cut"])
def test_ctrl_c_leaves_no_load_no_rule_and_no_half_state(hosts, declared, name):
    told, main = list[str](), threading.main_thread().ident
    assert main is not None

    def interrupt(text: str) -> None:
        told.append(text)
        # Once: what is told of the undo names the disturbance again.
        begun = [each for each in told if "hangs on" in each or "is cut off the public" in each]
        if text in begun and len(begun) == 1:
            threading.Timer(4, signal.pthread_kill, (main, signal.SIGINT)).start()

    options = Options([name], knows=True, patience=120, machine="containers")
    cluster = replace(hosts.cluster, progress=interrupt)
    with pytest.raises(interruptible.Interrupted, match=r"is undone$"):
        interruptible.run_in_order(drill(cluster, declared, NAME, options), interrupt)
    assert left(hosts) == [], told
    assert run_sync(readiness(hosts.cluster, declared)).healthy


@pytest.mark.long
def test_a_node_aside_comes_back_by_itself_where_the_drill_was_killed(hosts, declared):
    active = run_sync(readiness(hosts.cluster, declared)).active
    assert active is not None
    aside = disturbances.Aside(f"{active} is put aside", active, 90)
    run_sync(SiteHands(hosts.cluster, declared, NoPlug()).begin(aside))
    notices = run_sync(engine_of(declared).runtime.notices(hosts.cluster))
    assert [(each.kind, each.node) for each in notices] == [("standby", active)]
    assert "squid-ha-drill-aside" in "".join(left(hosts))
    assert ready_within(hosts, declared, 240) != active, "a node that comes back takes nothing away"
    assert left(hosts) == []


@pytest.mark.long
def test_what_the_drill_does_not_undo_the_node_does(hosts, declared):
    """As if the drill had been killed: what is armed on the node comes to pass by itself."""
    active = run_sync(readiness(hosts.cluster, declared)).active
    assert active is not None
    cut = disturbances.network_cut(declared, active, "replication", 8)
    run_sync(SiteHands(hosts.cluster, declared, NoPlug()).begin(cut))
    assert "squid_ha_drill" in "".join(left(hosts))
    with pytest.raises(Refused, match="still to come"):
        run_sync(readiness(hosts.cluster, declared))
    deadline = time.monotonic() + 40
    while left(hosts):
        assert time.monotonic() < deadline, left(hosts)
        time.sleep(1)
