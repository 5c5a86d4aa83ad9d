"""What each scenario does, step by step, without any host."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from declaration.site import Site
from operations.drill.disturbances import Aside, ByPlug, OnNode
from operations.drill.hands import SiteHands
from operations.drill.scenarios import scenarios
from operations.drill.steps import (
    Crash,
    Disturb,
    Fenced,
    Mark,
    Move,
    Served,
    Stays,
    Step,
    Undo,
    Unserved,
    View,
    WaitFor,
)
from operations.engines import engine_of
from operations.project import project_root
from providers.connection.command import command
from providers.connection.fake import FakeNode, fake_cluster
from tests.unit.lifekeeper.sites import site as lifekeeper
from tests.unit.operations.drill import known
from tests.unit.operations.drill.known import DISTURBING, LAB, NAMES
from tests.unit.operations.drill.test_hands import FakePlug

PAGE = project_root() / "docs" / "drill.md"


def steps(site: Site, name: str, can: frozenset[str] = LAB) -> list[Step]:
    return list(known.steps(site, name, can=can))


def test_every_scenario_is_in_the_documentation() -> None:
    page = PAGE.read_text()
    listed = re.findall(r"^([a-z-]+) +(planned|unplanned) +(.+?)(?:  .*)?$", page, re.MULTILINE)
    kinds = {True: "planned", False: "unplanned"}
    assert listed == [(name, kinds[each.planned], each.title) for name, each in scenarios().items()], "as --list shows"
    _, _, table = page.partition("\n## Scenarios\n")
    told = re.findall(r"^\| `([a-z-]+)` \|", table.partition("\n## ")[0], re.MULTILINE)
    assert sorted(told) == sorted(NAMES)
    planned = {name for name, each in scenarios().items() if each.planned}
    assert set(told[: len(planned)]) == planned, "the planned ones are the table's first"
    assert all(each.title and not each.title.endswith(".") for each in scenarios().values())


@pytest.mark.thorough
@pytest.mark.parametrize("can", [LAB, frozenset[str]()], ids=["lab", "production"])
@pytest.mark.parametrize("name", NAMES)
def test_every_wait_has_a_deadline_and_nothing_is_undone_that_was_not_begun(
    site: Site, name: str, can: frozenset[str]
) -> None:
    taken = steps(site, name, can)
    waits = [step.limit for step in taken if isinstance(step, WaitFor | Served | Unserved | Fenced)]
    assert waits
    assert all(0 < limit < math.inf for limit in waits)
    begun = sum(isinstance(step, Disturb) for step in taken)
    assert sum(isinstance(step, Undo) for step in taken) <= begun
    assert begun or any(isinstance(step, Move) for step in taken)


@pytest.mark.parametrize("engine", ["pacemaker", "lifekeeper"])
@pytest.mark.parametrize("can", [LAB, frozenset[str]()], ids=["lab", "production"])
@pytest.mark.parametrize("name", DISTURBING)
async def test_every_disturbance_arms_its_undo_before_it_starts_unless_the_plug_undoes_it_or_there_is_nothing_to_undo(
    monkeypatch: pytest.MonkeyPatch, site: Site, name: str, can: frozenset[str], engine: str
) -> None:
    declared = site if engine == "pacemaker" else site.model_copy(update={"engine": engine})
    node = FakeNode("qsp-a")

    async def aside(_cluster: object, there: str) -> None:
        await node.run(command("aside", there))

    monkeypatch.setattr(engine_of(declared).runtime, "aside", aside)
    begun = next(step.disturbance for step in steps(declared, name, can) if isinstance(step, Disturb))
    plug = FakePlug()
    here = replace(begun, delayed=0, node="qsp-a") if isinstance(begun, OnNode) else replace(begun, node="qsp-a")
    await SiteHands(fake_cluster(node, FakeNode("qsp-b")), declared, plug).begin(here)
    written = [str(each) for each in node.written]
    if isinstance(begun, ByPlug):
        assert plug.did, written
        return
    armed = [float(found[1]) for each in written if (found := re.search(r"--on-active=(\d+)s \(the undo of", each))]
    if isinstance(begun, OnNode) and not begun.undo:
        assert armed == [], "the engine starts it, or it boots"
        return
    assert len(armed) == len(written) - 1 == 1, "it would stay for ever if the drill were killed"
    assert "the undo of" in written[0]
    assert armed[0] > 60


def test_what_the_lab_has_hold_of_is_done_there_and_on_the_node_without(site: Site) -> None:
    for name in ("node-off", "public-network-cut", "replication-network-cut"):
        for can, kind in ((LAB, ByPlug), (frozenset[str](), OnNode)):
            (disturbed,) = [step.disturbance for step in steps(site, name, can) if isinstance(step, Disturb)]
            assert isinstance(disturbed, kind)


def test_a_node_that_is_lost_must_be_fenced_and_its_return_moves_nothing(site: Site) -> None:
    taken = steps(site, "node-off")
    assert [step.node for step in taken if isinstance(step, Crash | Fenced)] == ["qsp-a", "qsp-a"]
    assert [step.node for step in taken if isinstance(step, Stays)] == ["qsp-b"]


def test_planned_ones_break_nothing(site: Site) -> None:
    for name, each in scenarios().items():
        if each.planned:
            found = [step.disturbance for step in steps(site, name) if isinstance(step, Disturb)]
            assert all(isinstance(disturbance, Aside) for disturbance in found)


def test_what_a_site_or_a_machine_cannot_do_is_said(site: Site) -> None:
    alone = View(site, "qsp-a", "qsp-b")
    assert {name for name, each in scenarios().items() if each.lacks(alone)} == {"peers-disk-frozen"}
    without = site.model_copy(update={"mirror": None, "time": None})
    lacking = {name for name, each in scenarios().items() if each.lacks(View(without, "qsp-a", "qsp-b", LAB))}
    assert lacking == {"peers-disk-frozen", "mirror-full", "clock-off"}


def test_what_an_engine_does_not_promise_is_left_out_with_the_reason() -> None:
    def lacking(address: dict[str, bool] | None = None) -> dict[str, str]:
        view = View(lifekeeper(address=address or {}), "qsp-a", "qsp-b", LAB)
        return {name: why for name, each in scenarios().items() if (why := each.lacks(view))}

    assert set(lacking()) == {"squid-hung", "public-network-cut", "peers-disk-frozen"}
    assert "DataKeeper decides by itself" in lacking()["peers-disk-frozen"]
    assert "nobody asks Squid" in lacking()["squid-hung"]
    assert "broadcast_ping" in lacking()["public-network-cut"]
    assert set(lacking(address={"broadcast_ping": True})) == {"squid-hung", "peers-disk-frozen"}


def test_a_full_mirror_is_held_against_what_is_declared(site: Site) -> None:
    assert [type(step) for step in steps(site, "mirror-full")] == [Disturb, Unserved, Mark, Undo]
    dropping = site.model_copy(update={"log": site.log.model_copy(update={"on_full": "drop"})})
    assert [step for step in steps(dropping, "mirror-full") if isinstance(step, Served)]
    assert scenarios()["mirror-full"].may_lose(dropping) == math.inf
    assert scenarios()["mirror-full"].may_lose(site) == 0
