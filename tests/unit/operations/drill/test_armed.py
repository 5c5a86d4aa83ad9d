"""What a killed drill has armed, and what operators do before it has come to pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from declaration.site import Site
from operations.actions import do
from providers.connection.command import Command, Result
from providers.connection.errors import Refused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker.service import Tree
from providers.roles import Notice

ARMED = "squid-ha-drill-aside.timer loaded active waiting x\nsquid-ha-drill-aside.service loaded inactive dead x\n"
STOP = "systemctl stop squid-ha-drill-aside.timer squid-ha-drill-aside.service"


@dataclass
class Runtime:
    """An engine after the action."""

    told: list[Notice] = field(default_factory=list[Notice])

    async def active_node(self, cluster: object) -> str:
        return "qsp-a"

    async def tree(self, cluster: object) -> Tree:
        return Tree({"squid": {"qsp-a": "Started"}}, "qsp-a")

    async def notices(self, cluster: object) -> list[Notice]:
        return self.told


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    found = Runtime()
    monkeypatch.setattr(do, "engine_of", lambda _site: SimpleNamespace(runtime=found))
    return found


def armed(said: Command) -> str:
    return ARMED if "list-units" in str(said) else ""


def off(_said: Command) -> Result:
    raise Unreachable("no route to host", node="qsp-b")


async def bring_back(site: Site, *nodes: FakeNode) -> tuple[bool, list[str]]:
    did, told = list[str](), list[str]()

    async def work() -> None:
        did.append("back")

    try:
        cluster = fake_cluster(*nodes, progress=told.append)
        await do.act(cluster, site, "lyon", "bring back", work, drills_timer="is over")
    finally:
        told.extend(did)
    return bool(did), told


@pytest.mark.usefixtures("engine")
async def test_what_the_timers_of_a_killed_drill_would_end_is_refused(site: Site) -> None:
    did: list[str] = []

    async def work() -> None:
        did.append("stop")

    async def stop(*nodes: FakeNode) -> None:
        await do.act(fake_cluster(*nodes), site, "lyon", "stop it", work, drills_timer="would end it")

    with pytest.raises(Refused, match=r"(?s)^qsp-b: a drill .*aside\.timer, .*squid-ha node back lyon"):
        await stop(FakeNode("qsp-a"), FakeNode("qsp-b", armed))
    assert did == []
    await stop(FakeNode("qsp-a"), FakeNode("qsp-b", off))
    assert did == ["stop"], "a node that is off holds up nobody"


@pytest.mark.usefixtures("engine")
async def test_a_node_that_is_brought_back_stops_the_timers_of_a_killed_drill(site: Site) -> None:
    a, b = FakeNode("qsp-a", armed), FakeNode("qsp-b")
    assert (await bring_back(site, a, b))[0]
    assert [str(each) for each in (*a.written, *b.written)] == [STOP]
    await bring_back(site, FakeNode("qsp-a"), FakeNode("qsp-b", off))


async def test_the_drill_still_brings_back_the_node_that_it_put_aside_when_the_other_one_was_named(
    site: Site, engine: Runtime
) -> None:
    engine.told = [Notice("standby", "qsp-a is aside", "qsp-a")]
    a = FakeNode("qsp-a", armed)
    await bring_back(site, a, FakeNode("qsp-b"))
    assert a.written == []


@pytest.mark.usefixtures("engine")
async def test_a_timer_that_cannot_be_stopped_is_told_and_the_node_is_back(site: Site) -> None:
    def stuck(said: Command) -> Result:
        return Result(said, 1 if str(said) == STOP else 0, armed(said), "")

    worked, told = await bring_back(site, FakeNode("qsp-a", stuck), FakeNode("qsp-b"))
    assert worked
    assert told[0].startswith("squid-ha-drill-aside.timer, which a drill has left, could not be stopped: qsp-a: ")
