"""From phase to phase by editing the file: what each `pulumi up` costs a running Squid, in any order of Pulumi's."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprint.engines.pacemaker import tree
from declaration.load import read
from declaration.site import Site
from providers.connection.command import command
from providers.pacemaker import live
from tests.support.cuts import drawn as positions
from tests.support.phases import Phase, example
from tests.unit.pacemaker.replay import CONF, MIRROR, Choose, Replay, drawn, first, last
from tests.unit.pacemaker.simulation import NODES, Cut, CutError, SimulatedCluster
from tests.unit.pacemaker.tools import Tools

pytestmark = pytest.mark.thorough

ORDERS = {"first": first, "last": last, **{f"drawn-{seed}": drawn(seed) for seed in range(4)}}
SERVICE = ("squid", "address")


def site(phase: Phase) -> Site:
    return read(example(phase), source=f"phase-{phase}.yaml")


def fresh(tools: Tools, folder: Path) -> Replay:
    simulated = SimulatedCluster.fresh(tools, folder / "cib.xml")
    # Halves that are in step are equally good; in `test_tree` one of them is better.
    simulated.set_attribute("master-mirror", dict.fromkeys(NODES, "10000"))
    return Replay(simulated)


async def reached(tools: Tools, folder: Path, *phases: Phase, choose: Choose = first) -> Replay:
    """A site that has come this way."""
    replay = fresh(tools, folder)
    for phase in phases:
        await replay.up(site(phase), choose)
    forget(replay)
    return replay


def forget(replay: Replay) -> None:
    """Only what comes from now on counts."""
    for list_ in (replay.story, replay.told, replay.simulated.actions):
        list_.clear()
    replay.seen = 0


def stops(replay: Replay) -> list[tuple[str, str, str]]:
    return [stop for stop in replay.simulated.stops() if stop[0] in SERVICE]


async def leftovers(replay: Replay) -> list[str]:
    cib = (await live.read(replay.simulated.cluster("look"))).cib
    return [name for name in cib.constraints_on({"squid", "filesystem", "mirror-clone"}) if "place" in name]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("active", NODES)
async def test_no_step_between_the_phases_stops_squid(tools: Tools, tmp_path: Path, order: str, active: str) -> None:
    choose = ORDERS[order]
    replay = await reached(tools, tmp_path, 1)
    assert replay.serving() == ["qsp-a"]
    await replay.up(site(2), choose)
    assert replay.story == [], "taking Squid from the boot's hands into the engine's"
    assert not replay.hosts["qsp-a"].enabled
    if active == "qsp-b":
        replay.move(tree.REACHABLE, "qsp-a")
        assert replay.serving() == ["qsp-b"]
    for phase in (3, 2, 3):
        forget(replay)
        await replay.up(site(phase), choose)
        assert replay.story == [], f"on the way to phase {phase}"
        assert stops(replay) == []
        assert replay.serving() == [active]
        assert (MIRROR in (replay.hosts[active].read or "")) == (phase == 3)
        assert [name for name, host in replay.hosts.items() if host.mounted] == ([active] if phase == 3 else [])
        assert await leftovers(replay) == []
    assert replay.simulated.fenced == []


@pytest.mark.parametrize("order", ORDERS)
async def test_what_squids_agent_has_to_know_of_the_mirror_costs_one_restart_in_place(
    tools: Tools, tmp_path: Path, order: str
) -> None:
    """An agent's parameters cannot change under what it runs; a log that may lose records is watched by it."""
    declared = example(3)
    declared["log"]["on_full"] = "drop"
    replay = await reached(tools, tmp_path, 1, 2)
    for wanted in (read(declared, source="drop"), site(2)):
        forget(replay)
        await replay.up(wanted, ORDERS[order])
        assert replay.story == ["qsp-a: Squid stops", "qsp-a: Squid starts"]


async def test_deployed_at_once_squid_starts_once_and_only_on_its_mirror(tools: Tools, tmp_path: Path) -> None:
    for name, choose in ORDERS.items():
        replay = fresh(tools, tmp_path / name)
        await replay.up(site(3), choose)
        (node,) = replay.serving()
        assert replay.story == [f"{node}: Squid starts"]
        assert replay.hosts[node].mounted


async def test_the_mirrors_half_that_would_rather_be_elsewhere_comes_to_squid(tools: Tools, tmp_path: Path) -> None:
    replay = await reached(tools, tmp_path, 1, 2)
    replay.simulated.set_attribute("master-mirror", {"qsp-a": "10000", "qsp-b": "10005"})
    await replay.up(site(3))
    assert replay.story == []
    assert replay.serving() == ["qsp-a"]


async def test_squids_log_goes_before_its_filesystem_and_comes_after_it(tools: Tools, tmp_path: Path) -> None:
    replay = await reached(tools, tmp_path, 1, 2)
    await replay.up(site(3))
    told = replay.told
    assert told.index("tree-filesystem") < told.index("squid-config") < told.index("tree-squid")
    forget(replay)
    await replay.up(site(2))
    assert replay.told.index("squid-config") < replay.told.index("tree-squid") < replay.told.index("-tree-filesystem")
    assert replay.told.index("-tree-filesystem") < replay.told.index("-tree-mirror") < replay.told.index("-mirror")


async def test_the_replay_shows_it_when_squid_reads_of_a_mirror_too_early(tools: Tools, tmp_path: Path) -> None:
    """Shows that the replay can fail: a Squid that reads of a log that is not mounted dies in it."""
    replay = await reached(tools, tmp_path, 1, 2)
    host = replay.hosts["qsp-a"]
    content, mode, owner = host.files[CONF]
    host.files[CONF] = (f"{content}access_log stdio:{MIRROR}/x\n", mode, owner)
    host(command("systemctl", "reload", "--", "squid.service"))
    assert replay.story == [f"qsp-a: Squid dies, it cannot open its log on {MIRROR}"]


@pytest.mark.parametrize("way", [(1, 2), (2, 3), (3, 2)], ids=str)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_cut_off_at_any_change_of_the_cluster_and_run_again_squid_runs_on(
    tools: Tools, tmp_path: Path, way: tuple[Phase, Phase], *, after: bool
) -> None:
    path: dict[tuple[Phase, Phase], tuple[Phase, ...]] = {(1, 2): (1,), (2, 3): (1, 2), (3, 2): (1, 2, 3)}
    straight = await reached(tools, tmp_path / "straight", *path[way])
    before = straight.simulated.written
    await straight.up(site(way[1]))
    goal = (await live.read(straight.simulated.cluster("look"))).cib
    for position in positions(straight.simulated.written - before, 4):
        replay = await reached(tools, tmp_path / str(position), *path[way])
        replay.simulated.cut = Cut(replay.simulated.written + position - 1, after)
        with pytest.raises(CutError):
            await replay.up(site(way[1]))
        replay.simulated.cut = None
        await replay.up(site(way[1]))
        assert replay.story == []
        assert stops(replay) == []
        assert await leftovers(replay) == []
        end = (await live.read(replay.simulated.cluster("look"))).cib
        names = ("squid", "filesystem", "mirror-clone", "address")
        assert sorted(end.constraints_on(names)) == sorted(goal.constraints_on(names))


@pytest.mark.parametrize("phase", [2, 3])
async def test_back_to_a_single_node_is_refused_with_the_way_to_do_it(
    tools: Tools, tmp_path: Path, phase: Phase
) -> None:
    replay = await reached(tools, tmp_path, phase)
    with pytest.raises(AssertionError, match="pulumi destroy"):
        await replay.up(site(1))
    assert replay.told == []
