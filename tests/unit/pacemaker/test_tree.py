"""Every order of building and taking down the tree, cut off everywhere, replayed by Pacemaker's own scheduler."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from providers.connection.errors import Refused
from providers.contract import Absent, Present
from providers.pacemaker import live, member, options
from providers.pacemaker.model import Clone, Colocation, Operation, Order, Primitive, keyed
from tests.unit.pacemaker.simulation import Cut, CutError, SimulatedCluster
from tests.unit.pacemaker.tools import Tools

TREE = ("mirror", "filesystem", "squid", "address")
AGENTS = {
    "mirror": "ocf:linbit:drbd",
    "filesystem": "ocf:heartbeat:Filesystem",
    "squid": "ocf:squid-ha:squid",
    "address": "ocf:heartbeat:IPaddr2",
}
OPTIONS = options.Wanted(
    properties={"stonith-enabled": "true", "no-quorum-policy": "stop", "priority-fencing-delay": "15s"},
    resource_defaults={"resource-stickiness": "200"},
    operation_defaults={"timeout": "120s"},
)
FENCING = member.Wanted(
    primitive=Primitive(
        id="fencing", agent="stonith:external/sbd", operations=keyed(Operation(name="start", timeout="60s"))
    )
)


def wanted(name: str, present: tuple[str, ...]) -> member.Wanted:
    """The member as it is declared when only these are in the tree."""
    limits = keyed(Operation(name="start", timeout="60s"), Operation(name="stop", timeout="60s"))
    primitive = Primitive(id=name, agent=AGENTS[name], operations=limits)
    clone = Clone(id="mirror-clone", meta={"promotable": "true", "clone-max": "2", "notify": "true"})
    below = [other for other in TREE[: TREE.index(name)] if other in present]
    ties: dict = {}
    if below:
        promoted = below[-1] == "mirror"
        lower = "mirror-clone" if promoted else below[-1]
        role, action = ("Promoted", "promote") if promoted else (None, "start")
        ties[f"{name}-with-{lower}"] = Colocation(resource=name, with_resource=lower, with_role=role)
        ties[f"{name}-after-{lower}"] = Order(first=lower, first_action=action, then=name)
    return member.Wanted(primitive=primitive, clone=clone if name == "mirror" else None, constraints=ties)


async def up(simulated: SimulatedCluster, present: tuple[str, ...]) -> None:
    """What `pulumi up` does for a site with these members: each in turn, bottom up, where it is not as wanted."""
    for name in (each for each in TREE if each in present):
        await converged(simulated, name, wanted(name, present))


async def converged(simulated: SimulatedCluster, name: str, state: Any, kind: str = "member") -> None:
    """As `reconcile.apply`: converge where something differs, was begun, or was declared otherwise before."""
    module = {"member": member, "options": options}[kind]
    cluster = simulated.cluster(name)
    found = await module.observe(cluster, state)
    same = isinstance(found, Present) and found.values == state
    begun = "pending" in await cluster.journal("qsp-a").entries()
    if not same or begun or simulated.applied.get(name, state) != state:
        await module.converge(cluster, state, found)
        again = await module.observe(cluster, state)
        assert isinstance(again, Present)
        assert again.values == state
    simulated.applied[name] = state


async def whole(tools: Tools, folder: Path, present: tuple[str, ...] = TREE) -> SimulatedCluster:
    simulated = SimulatedCluster.fresh(tools, folder / "cib.xml")
    await converged(simulated, "fencing", FENCING)
    await options.converge(simulated.cluster("options"), OPTIONS, Absent())
    await up(simulated, present)
    return simulated


@pytest.mark.thorough
@pytest.mark.parametrize("order", list(itertools.permutations(TREE)), ids="-".join)
async def test_whatever_is_added_in_whatever_order_stops_nothing_above_it(
    tools: Tools, tmp_path: Path, order: tuple[str, ...]
) -> None:
    simulated = await whole(tools, tmp_path, ())
    for number in range(1, len(order) + 1):
        new = order[number - 1]
        simulated.actions.clear()
        await up(simulated, order[:number])
        above = TREE[TREE.index(new) + 1 :]
        assert [stop for stop in simulated.stops() if stop[0] in above] == []
    current = await live.read(simulated.cluster("look"))
    nodes = {name: current.monitor.running(name, promoted=name == "mirror") for name in TREE}
    assert len({tuple(where) for where in nodes.values()}) == 1
    assert not [name for name in current.cib.constraints_on({*TREE, "mirror-clone"}) if "place" in name]
    assert simulated.fenced == []


@pytest.mark.thorough
async def test_a_resource_that_runs_elsewhere_comes_to_those_above_it(tools: Tools, tmp_path: Path) -> None:
    """The trap itself: without the placing steps this order restarts Squid and the address."""
    simulated = await whole(tools, tmp_path, ("squid", "address"))
    (before,) = (await live.read(simulated.cluster("look"))).monitor.running("squid")
    simulated.actions.clear()
    await up(simulated, ("mirror", "squid", "address"))
    promoted_first = [node for name, what, node in simulated.actions if (name, what) == ("mirror", "promote")]
    assert promoted_first[0] != before, "the mirror's agent would rather be promoted on the other node"
    assert promoted_first[-1] == before
    assert [stop for stop in simulated.stops() if stop[0] != "mirror"] == []


async def test_the_scheduler_would_restart_what_is_tied_at_once(tools: Tools, tmp_path: Path) -> None:
    """Shows that the replay can fail: the same change in one patch stops Squid."""
    simulated = await whole(tools, tmp_path, ("squid", "address"))
    simulated.actions.clear()

    def at_once(now: live.Live) -> live.Cib:
        changed = now.cib
        for name in TREE:
            state = wanted(name, TREE)
            assert state.primitive is not None
            ties = {key: tie for key, tie in state.constraints.items() if tie is not None}
            changed = changed.with_member(state.primitive, state.clone).with_constraints(ties)
        return changed

    await live.change(simulated.cluster("all"), at_once)
    assert {stop[0] for stop in simulated.stops()} >= {"squid", "address"}


@pytest.mark.thorough
@pytest.mark.parametrize("first", [(), ("squid", "address"), ("mirror", "squid")], ids=str)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_cut_off_at_any_command_and_run_again_it_ends_the_same(
    tools: Tools, tmp_path: Path, first: tuple[str, ...], *, after: bool
) -> None:
    start = await whole(tools, tmp_path / "start", first)
    straight = start.copy(tmp_path / "straight/cib.xml")
    await up(straight, TREE)
    commands = straight.written
    assert commands >= 4 - len(first)
    goal = (await live.read(straight.cluster("look"))).cib
    for position in range(commands):
        simulated = start.copy(tmp_path / str(position) / "cib.xml")
        simulated.cut = Cut(position, after)
        with pytest.raises(CutError):
            await up(simulated, TREE)
        await up(simulated, TREE)
        end = await live.read(simulated.cluster("look"))
        assert {name: end.cib.find(name) for name in TREE} == {name: goal.find(name) for name in TREE}
        assert sorted(end.cib.constraints_on(TREE)) == sorted(goal.constraints_on(TREE))
        above = [name for name in first if name != "mirror"]
        assert [stop for stop in simulated.stops() if stop[0] in above] == []
        assert simulated.fenced == []


@pytest.mark.thorough
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_taken_down_from_the_top_and_cut_off_anywhere_it_ends_empty(
    tools: Tools, tmp_path: Path, *, after: bool
) -> None:
    start = await whole(tools, tmp_path)
    for position in range(2 * len(TREE)):
        simulated = start.copy(tmp_path / str(position) / "cib.xml")
        simulated.cut = Cut(position, after)
        with pytest.raises(CutError):
            await down(simulated)
        await down(simulated)
        left = await live.read(simulated.cluster("look"))
        assert list(left.cib.primitives()) == ["fencing"]
        assert simulated.fenced == []
        assert not any(journal.values for (_, thing), journal in simulated.journals.opened.items() if thing in TREE)


async def down(simulated: SimulatedCluster) -> None:
    """What `pulumi destroy` does; each member stops alone, nothing below it is touched by that."""
    for name in reversed(TREE):
        simulated.actions.clear()
        await member.remove(simulated.cluster(name), wanted(name, TREE))
        # A mirror that nothing uses any more may be promoted where its agent would rather have it.
        below = TREE[: TREE.index(name)] if name != "filesystem" else ()
        assert [stop for stop in simulated.stops() if stop[0] in below] == []


@pytest.mark.thorough
async def test_back_to_a_tree_without_mirror_squid_runs_on(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path)
    simulated.actions.clear()
    await up(simulated, ("squid", "address"))
    for name in ("filesystem", "mirror"):
        await member.remove(simulated.cluster(name), wanted(name, TREE))
    assert {stop[0] for stop in simulated.stops()} == {"filesystem", "mirror"}
    left = (await live.read(simulated.cluster("look"))).cib
    assert sorted(left.constraints_on(TREE)) == ["address-after-squid", "address-with-squid"]


@pytest.mark.thorough
async def test_the_patches_are_taken_by_the_real_tools(tools: Tools, tmp_path: Path) -> None:
    simulated = SimulatedCluster.fresh(tools, tmp_path / "cib.xml")
    simulated.thorough = True
    await converged(simulated, "fencing", FENCING)
    await options.converge(simulated.cluster("options"), OPTIONS, Absent())
    await up(simulated, ("squid", "address"))
    await up(simulated, TREE)
    await down(simulated)
    await options.remove(simulated.cluster("options"), OPTIONS)
    await member.remove(simulated.cluster("fencing"), FENCING)
    assert (await live.read(simulated.cluster("look"))).cib.primitives() == {}


async def test_what_others_still_depend_on_is_not_removed(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path)
    with pytest.raises(Refused, match="squid-with-filesystem"):
        await member.remove(simulated.cluster("filesystem"), wanted("filesystem", TREE))
    assert simulated.stops() == []


async def test_the_last_fencing_device_stays_while_resources_do(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path)
    with pytest.raises(Refused, match="last fencing device"):
        await member.remove(simulated.cluster("fencing"), FENCING)


async def test_what_was_found_stays_when_the_declaration_goes(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path, ("squid",))
    simulated.journals.opened.clear()
    found = (await live.read(simulated.cluster("look"))).cib.find("squid")
    changed = wanted("squid", ()).model_copy(
        update={"primitive": Primitive(id="squid", agent=AGENTS["squid"], parameters={"port": "3128"})}
    )
    await converged(simulated, "squid", changed)
    assert (await live.read(simulated.cluster("look"))).cib.find("squid") != found
    await member.remove(simulated.cluster("squid"), changed)
    assert (await live.read(simulated.cluster("look"))).cib.find("squid") == found
