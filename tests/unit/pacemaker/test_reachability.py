"""The rule that draws the service to a node which reaches the public network, judged by Pacemaker's own scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from blueprint.engines.pacemaker import tree
from declaration.load import read
from declaration.site import Site
from providers.pacemaker import live
from tests.support.sites import without_mirror
from tests.unit.pacemaker.simulation import NODES, SimulatedCluster
from tests.unit.pacemaker.test_tree import FENCING, OPTIONS, converged
from tests.unit.pacemaker.tools import Tools

pytestmark = pytest.mark.thorough

TEMPLATE = Path(__file__).parents[3] / "stacks/templates/lab.yaml.j2"


def site(phase: int) -> Site:
    text = jinja2.Template(TEMPLATE.read_text()).render(lab="/lab")
    settings: dict[str, Any] = yaml.safe_load(text)["config"]["squid-ha:site"]
    return read(settings if phase == 3 else without_mirror(settings), source="lab")


async def built(tools: Tools, folder: Path, phase: int) -> SimulatedCluster:
    simulated = SimulatedCluster.fresh(tools, folder / "cib.xml")
    # Halves that are equally good, as those of a mirror in step are.
    simulated.set_attribute("master-mirror", dict.fromkeys(NODES, "10000"))
    await converged(simulated, "fencing", FENCING)
    await converged(simulated, "options", OPTIONS, "options")
    for thing in tree.things(site(phase)):
        simulated.actions.clear()
        await converged(simulated, thing.name, thing.inputs)
    return simulated


async def active(simulated: SimulatedCluster) -> str:
    (node,) = (await live.read(simulated.cluster("look"))).monitor.running("address")
    return node


@pytest.mark.parametrize("phase", [2, 3])
async def test_adding_it_stops_nothing(tools: Tools, tmp_path: Path, phase: int) -> None:
    simulated = await built(tools, tmp_path, phase)
    assert ("reachability", "start", "qsp-a") in simulated.actions, "it is the last thing of the tree"
    assert simulated.stops() == []


@pytest.mark.parametrize("phase", [2, 3])
@pytest.mark.parametrize("lost", ["0", None])
async def test_a_node_that_reaches_nobody_gives_the_service_away(
    tools: Tools, tmp_path: Path, phase: int, lost: str | None
) -> None:
    simulated = await built(tools, tmp_path, phase)
    before = await active(simulated)
    simulated.set_attribute(tree.REACHABLE, {before: lost})
    assert await active(simulated) != before
    simulated.actions.clear()
    simulated.set_attribute(tree.REACHABLE, {before: "1"})
    assert simulated.stops() == [], "it went back by itself"


@pytest.mark.parametrize("phase", [2, 3])
async def test_a_dead_ping_target_stops_and_moves_nothing(tools: Tools, tmp_path: Path, phase: int) -> None:
    simulated = await built(tools, tmp_path, phase)
    before = await active(simulated)
    standby = next(node for node in NODES if node != before)
    simulated.actions.clear()
    simulated.set_attribute(tree.REACHABLE, {standby: "0"})
    simulated.set_attribute(tree.REACHABLE, {before: "0"})
    assert simulated.stops() == []
    assert await active(simulated) == before


async def test_a_half_that_is_not_up_to_date_is_not_promoted_for_it(tools: Tools, tmp_path: Path) -> None:
    """What the mirror's agent says of a half outweighs reachability: it gives 10000 for one that is in step."""
    simulated = await built(tools, tmp_path, 3)
    before = await active(simulated)
    standby = next(node for node in NODES if node != before)
    simulated.set_attribute("master-mirror", {standby: "10"})
    simulated.set_attribute(tree.REACHABLE, {before: "0"})
    assert await active(simulated) == before
