"""The runner keeps what it sees, gives up at deadlines, and leaves nothing broken, however it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from declaration.site import Site
from operations.drill import runner as running
from operations.drill.disturbances import Disturbance
from operations.drill.hands import StillArmed
from operations.drill.runner import Course, Runner
from operations.drill.scenarios import scenarios
from operations.drill.steps import Disturb, Fenced, Stand, Steps, View, WaitFor
from operations.proof.model import Move, Request
from providers.connection.errors import NotVerified
from tests.unit.operations.drill.known import DISTURBING, LAB, NAMES, steps
from tests.unit.operations.drill.world import World


def runner(world: World, told: list[str] | None = None, settle: float = 20) -> Runner:
    says = told if told is not None else list[str]()
    return Runner(world, world, world, settle=settle, progress=says.append, pause=0.001)


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


@pytest.mark.parametrize("name", DISTURBING)
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


async def test_a_node_that_is_being_put_aside_is_aside_before_it_is_brought_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: LifeKeeper that is still to stop would be found running, and then stop for good."""
    monkeypatch.setattr(running, "BEGUN", 0.01)
    begun = asyncio.Event()

    class Slow(World):
        async def begin(self, disturbance: Disturbance) -> None:
            begun.set()
            await asyncio.sleep(0.2)
            await super().begin(disturbance)
            self.did.append("it is aside")

    world = Slow()
    task = asyncio.create_task(runner(world).run(steps(site, "peer-back")))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [text.split()[0] for text in world.did] == ["begin", "it", "undo"]


async def test_a_move_that_is_interrupted_is_waited_for_until_it_has_ended(site: Site) -> None:
    """Given up, it goes on on its node, and what it is done by (a unit, a constraint) outlives the drill."""
    begun = asyncio.Event()

    class Slow(World):
        async def move(self, to: str) -> Move:
            self.notices = ("`cli-prefer-squid` was left by a tool",)
            begun.set()
            await asyncio.sleep(0.1)
            self.notices = ()
            self.did.append(f"on {to}")
            return await super().move(to)

    world = Slow()
    task = asyncio.create_task(runner(world).run(steps(site, "planned-move")))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.did == ["on qsp-b"], "given up, cleared while it was under way, or moved back"


async def test_an_undo_that_is_still_armed_is_left_behind_and_the_scenario_goes_on(site: Site) -> None:
    class Armed(World):
        async def undo(self, disturbance: Disturbance) -> None:
            await super().undo(disturbance)
            raise StillArmed("squid-ha-drill-aside.timer could not be stopped: qsp-b: no connection")

    world = Armed()
    course = await runner(world).run(steps(site, "peer-back"))
    assert [(each.name, each.detail) for each in course.findings] == [
        ("left behind", "squid-ha-drill-aside.timer could not be stopped: qsp-b: no connection")
    ]
    assert len([text for text in world.did if text.startswith("undo")]) == 1
    assert course.repaired is not None


async def test_interrupted_a_cluster_that_is_not_whole_is_said_to_be_so(site: Site) -> None:
    begun = asyncio.Event()

    class Down(World):
        async def begin(self, disturbance: Disturbance) -> None:
            await super().begin(disturbance)
            self.serves = False
            begun.set()

    task = asyncio.create_task(runner(Down(), settle=0.05).run(steps(site, "peer-back")))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(NotVerified, match=r"^the cluster is not whole again: not within 0\.05 s; instead it runs in"):
        await task


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


async def soon(course: Awaitable[Course]) -> Course:
    return await asyncio.wait_for(course, 20)


@pytest.mark.parametrize("name", ["squid-killed", "clock-off"])
async def test_a_fault_of_this_program_in_a_look_ends_no_drill_without_a_report(site: Site, name: str) -> None:
    class Faulty(World):
        async def look(self, without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
            raise KeyError("unforeseen")

    world = Faulty()
    course = await soon(runner(world, settle=0.1).run(steps(site, name, 0.1)))
    assert names(course) == ["not reached", "not whole"]
    assert all("was not understood: KeyError (" in each.detail for each in course.findings)
    assert world.broken == []


class Hanging(World):
    """Once something was disturbed, nothing that ``what`` names ever answers."""

    what: str = "look"

    async def look(self, without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
        await self.hang("look")
        return await super().look(without, clocks=clocks)

    async def fenced(self, node: str, since: float, without: frozenset[str]) -> bool | None:
        await self.hang("fenced")
        return await super().fenced(node, since, without)

    async def read(self) -> list[Request]:
        await self.hang("read")
        return await super().read()

    async def hang(self, what: str) -> None:
        if what == self.what and self.did:
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("name", "what", "missed"),
    [
        ("squid-killed", "look", {"not reached", "not whole"}),
        ("clock-off", "look", {"not reached", "not whole"}),
        ("squid-killed", "read", {"not served"}),
    ],
)
async def test_a_deadline_is_kept_where_nothing_answers_any_more(
    site: Site, name: str, what: str, missed: set[str]
) -> None:
    world = Hanging()
    world.what = what
    course = await soon(runner(world, settle=0.1).run(steps(site, name, 0.1)))
    # On a slow machine ten answers at the end take longer, too.
    assert {*names(course), "not served"} == {*missed, "not served"}
    assert missed <= set(names(course))
    assert what == "read" or all(re.search(r" \(seen \d+ s before\)$", each.detail) for each in course.findings)
    assert world.broken == []


async def test_a_fencing_that_nobody_tells_of_holds_up_no_drill(site: Site) -> None:
    world = Hanging()
    world.what = "fenced"

    def short() -> Steps:
        for step in steps(site, "node-off"):
            yield replace(step, limit=0.05) if isinstance(step, Fenced) else step

    course = await soon(runner(world).run(short()))
    assert course.fenced == {"qsp-a": None}


async def test_cancelled_it_ends_also_where_no_look_ends_any_more(site: Site) -> None:
    begun = asyncio.Event()

    class Silent(Hanging):
        async def begin(self, disturbance: Disturbance) -> None:
            await super().begin(disturbance)
            begun.set()

    world = Silent()
    task = asyncio.create_task(runner(world, settle=0.1).run(steps(site, "public-network-cut")))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(NotVerified, match=r"the cluster is not whole again: not within 0\.1 s"):
        await asyncio.wait_for(task, 20)
    assert world.broken == []


async def test_failures_that_the_engine_does_not_forget_are_no_green_end(site: Site) -> None:
    class Remembers(World):
        async def clear(self) -> None:
            raise NotVerified("it fails again: squid on qsp-a")

    world = Remembers(notices=("earlier failure of squid on qsp-a",))
    (left,) = (await runner(world, settle=1.0).run(steps(site, "squid-killed"))).findings
    assert left.name == "not whole"
    assert "earlier failure of squid on qsp-a" in left.detail
    assert left.detail.endswith("; that is not forgotten: it fails again: squid on qsp-a")


async def test_forgetting_failures_that_never_ends_holds_up_no_drill(site: Site) -> None:
    class Forgets(World):
        async def clear(self) -> None:
            await asyncio.Event().wait()

    world = Forgets(notices=("earlier failure of squid on qsp-a",))
    course = await soon(runner(world, settle=0.1).run(steps(site, "squid-killed")))
    (left,) = [each for each in course.findings if each.name == "not whole"]
    assert left.detail.endswith("; whether that is forgotten could not be told by then")


async def test_failures_that_come_after_others_were_forgotten_are_forgotten_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CLEAR_AGAIN", 0.0)

    class FailsTwice(World):
        async def clear(self) -> None:
            again = self.did.count("clear") == 0
            await super().clear()
            self.notices = ("failed again",) if again else ()

    world = FailsTwice(notices=("failed",))
    assert names(await runner(world).run(steps(site, "squid-killed"))) == []
    assert (world.notices, world.did.count("clear")) == ((), 2)


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
