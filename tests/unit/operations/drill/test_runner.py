"""The runner keeps what it sees, gives up at deadlines, and leaves nothing broken, however it ends."""

from __future__ import annotations

import asyncio

import pytest

from declaration.site import Site
from operations.drill.disturbances import Disturbance
from operations.drill.runner import Course, Runner
from operations.drill.scenarios import scenarios
from operations.drill.steps import Disturb, Steps, View, WaitFor
from providers.connection.errors import NotVerified
from tests.unit.operations.drill.world import World

LAB = frozenset({"power", "public network", "replication network", "disk"})
NAMES = sorted(scenarios())


def runner(world: World, told: list[str] | None = None, settle: float = 20) -> Runner:
    says = told if told is not None else list[str]()
    return Runner(world, world, world, settle=settle, progress=says.append, pause=0.001)


def steps(site: Site, name: str, patience: float = 20) -> Steps:
    return scenarios()[name].steps(View(site, "qsp-a", "qsp-b", LAB, patience))


async def run(site: Site, world: World, name: str) -> Course:
    return await runner(world).run(steps(site, name))


def names(course: Course) -> list[str]:
    return [finding.name for finding in course.findings]


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
async def test_every_scenario_ends_with_everything_undone(site: Site, name: str) -> None:
    world = World()
    course = await run(site, world, name)
    assert names(course) == []
    assert world.broken == []
    assert course.last.healthy
    assert course.moments[-1].text == "the cluster is whole again"


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
async def test_an_engine_that_does_nothing_is_a_missed_deadline_and_still_all_is_undone(site: Site, name: str) -> None:
    world = World(serves=False)
    course = await Runner(world, world, world, settle=0.02, progress=print, pause=0.001).run(steps(site, name, 0.02))
    assert set(names(course)) & {"not reached", "not served", "not whole"}
    assert world.broken == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "planned-move"])
async def test_cancelled_in_the_middle_it_undoes_what_is_broken(site: Site, name: str) -> None:
    world, begun = World(), asyncio.Event()

    def disturbed() -> Steps:
        for step in steps(site, name):
            yield step
            if isinstance(step, Disturb):
                begun.set()
                yield WaitFor("the sky falls", lambda _seen: False, 60)

    task = asyncio.create_task(runner(world).run(disturbed()))
    await asyncio.wait_for(begun.wait(), 5)
    if name != "squid-killed":
        assert world.broken
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.broken == []
    assert len([text for text in world.did if text.startswith("undo")]) == 1


@pytest.mark.parametrize("during", ["begin", "undo"])
async def test_what_is_interrupted_while_it_begins_or_is_undone_goes_on_to_its_end(site: Site, during: str) -> None:
    """A command that is given up goes on on its node: the undo of what has only begun would overtake it."""
    reached = asyncio.Event()

    class Slow(World):
        async def begin(self, disturbance: Disturbance) -> None:
            await slowly("begin")
            await super().begin(disturbance)

        async def undo(self, disturbance: Disturbance) -> None:
            await slowly("undo")
            await super().undo(disturbance)

    async def slowly(what: str) -> None:
        if what == during:
            reached.set()
            await asyncio.sleep(0.05)

    world = Slow()
    task = asyncio.create_task(runner(world).run(steps(site, "public-network-cut")))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.broken == []
    assert len([text for text in world.did if text.startswith("undo")]) == 1


async def test_interrupted_what_is_left_behind_is_not_called_undone(site: Site) -> None:
    world, begun = World(stuck="public"), asyncio.Event()

    def disturbed() -> Steps:
        for step in steps(site, "public-network-cut"):
            yield step
            if isinstance(step, Disturb):
                begun.set()
                yield WaitFor("the sky falls", lambda _seen: False, 60)

    task = asyncio.create_task(runner(world, settle=0.02).run(disturbed()))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(NotVerified, match="not undone"):
        await task


async def test_what_cannot_be_undone_is_said_and_keeps_no_other_from_it(site: Site) -> None:
    world, told = World(stuck="public"), list[str]()
    course = await runner(world, told, settle=0.02).run(steps(site, "public-network-cut"))
    assert "left behind" in names(course)
    assert any("NOT undone" in text for text in told)


async def test_a_node_that_stays_aside_is_left_with_the_command_that_brings_it_back(site: Site) -> None:
    course = await runner(World(stuck="aside"), settle=0.02).run(steps(site, "peer-back"))
    (left,) = [each for each in course.findings if each.name == "left behind"]
    assert "`squid-ha node back STACK qsp-" in left.detail


async def test_stickiness_0_shows_in_the_samples(site: Site) -> None:
    course = await run(site, World(sticky=False), "public-network-cut")
    (stay,) = course.stays
    assert stay[1] == "qsp-b"
    assert {sample.active for sample in course.samples if sample.time > stay[0]} == {"qsp-a", "qsp-b"}


async def test_fencing_off_shows(site: Site) -> None:
    world = World(fencing=False)
    view = View(site, "qsp-a", "qsp-b", LAB, 20)

    def short() -> Steps:
        for step in scenarios()["node-off"].steps(view):
            yield step if not hasattr(step, "node") or not hasattr(step, "limit") else type(step)("qsp-a", 0.01)  # type: ignore[call-arg]

    course = await runner(world).run(short())
    assert course.fenced == {"qsp-a": False}


async def test_the_engine_forgets_what_the_drill_made_it_note(site: Site) -> None:
    world = World(notices=("earlier failure of squid on qsp-a",))
    await run(site, world, "squid-killed")
    assert world.did[-1] == "clear"
    quiet = World()
    await run(site, quiet, "squid-killed")
    assert "clear" not in quiet.did
