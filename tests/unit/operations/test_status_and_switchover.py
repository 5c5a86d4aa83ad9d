"""What `status` and `switchover` make of an engine's answers, whatever engine it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

import pytest
from rich.console import Console

from declaration.site import Site
from operations import engines, status, switchover
from operations.status import Status, render
from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused
from providers.connection.fake import FakeNode, fake_cluster
from providers.roles import UP_TO_DATE, MirrorView
from providers.storage import views

ROLES = [name for name in vars(engines.Runtime) if not name.startswith("_")]
MEMBERS = ("mirror", "filesystem", "squid", "address")
GOOD = MirrorView("source", connected=True, connection="Connected", data=UP_TO_DATE, peer_data=UP_TO_DATE)


@dataclass
class FakeTree:
    states: Mapping[str, Mapping[str, str]]
    active: str | None


@dataclass
class FakeRuntime:
    """An engine whose service runs on ``where``; with ``stuck`` it never leaves it."""

    where: str | None
    stuck: bool = False
    failed: bool = False
    """Whether a member of it does not run there."""
    moved: list[str] = field(default_factory=list[str])

    async def active_node(self, cluster: Cluster) -> str | None:
        return self.where

    async def tree(self, cluster: Cluster) -> FakeTree:
        assert self.where is not None
        return FakeTree({name: {self.where: "Failed" if self.failed else "Started"} for name in MEMBERS}, self.where)

    async def switchover(self, cluster: Cluster, to: str) -> None:
        self.moved.append(to)
        self.where = self.where if self.stuck else to


def tree(active: str | None = "qsp-a", **states: str) -> FakeTree:
    return FakeTree({name: {"qsp-a": states.get(name, "Started"), "qsp-b": "Stopped"} for name in MEMBERS}, active)


def shown(found: Status) -> str:
    text = io.StringIO()
    Console(width=120, file=text).print(render(found))
    return text.getvalue()


def test_a_whole_service_with_a_mirror_that_is_up_to_date_is_healthy(site: Site) -> None:
    found = Status(site, tree(mirror="Promoted"), {"qsp-a": GOOD, "qsp-b": GOOD})
    assert found.sound
    assert "The proxy 192.0.2.10:3128 runs on qsp-a." in shown(found)
    assert [line.split()[0] for line in shown(found).splitlines()[3:7]] == ["address", "squid", "filesystem", "mirror"]


@pytest.mark.parametrize(
    "found",
    [tree(active=None), tree(active="qsp-b"), tree(filesystem="Stopped"), tree(squid="Failed"), tree(squid="Starting")],
)
def test_a_service_in_parts_is_not_healthy(site: Site, found: FakeTree) -> None:
    assert not Status(site, found, {}).sound
    assert "does not run as a whole" in shown(Status(site, found, {}))


def test_a_degraded_service_is_whole_but_not_sound(site: Site) -> None:
    found = Status(site, tree(mirror="Promoted", squid="Degraded"), {"qsp-a": GOOD, "qsp-b": GOOD})
    assert found.whole
    assert not found.sound
    assert "degraded" in shown(found)


@pytest.mark.parametrize(
    "view",
    [MirrorView(data=UP_TO_DATE, peer_data="Inconsistent"), MirrorView(), MirrorView(trouble="no connection")],
)
def test_a_mirror_that_is_behind_or_silent_is_not_healthy(site: Site, view: MirrorView) -> None:
    found = Status(site, tree(), {"qsp-a": GOOD, "qsp-b": view})
    assert not found.sound
    assert "qsp-b" in shown(found)


def runs(monkeypatch: pytest.MonkeyPatch, runtime: FakeRuntime) -> Cluster:
    @dataclass
    class Fake:
        runtime: FakeRuntime

    monkeypatch.setattr(switchover, "engine_of", lambda site: Fake(runtime))
    return fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"))


async def test_without_a_target_the_service_moves_to_the_other_node(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = FakeRuntime("qsp-b")
    done = await switchover.move(runs(monkeypatch, runtime), site)
    assert (done.source, done.target, done.done, runtime.moved) == ("qsp-b", "qsp-a", True, ["qsp-a"])


async def test_a_service_that_is_there_already_is_left_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime("qsp-b")
    done = await switchover.move(runs(monkeypatch, runtime), site, "qsp-b")
    assert (done.source, done.target, done.end - done.start, runtime.moved) == ("qsp-b", "qsp-b", 0, [])


async def test_what_is_there_only_in_part_is_put_in_service_as_a_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that failed half way has left the mirror where it was, and nothing on top of it."""
    runtime = FakeRuntime("qsp-b", failed=True)
    done = await switchover.move(runs(monkeypatch, runtime), site, "qsp-b")
    assert (done.source, done.target, done.arrived, runtime.moved) == ("qsp-b", "qsp-b", "qsp-b", ["qsp-b"])
    assert done.end > done.start


async def test_a_service_that_runs_nowhere_or_does_not_arrive_is_an_error(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="runs on no node"):
        await switchover.move(runs(monkeypatch, FakeRuntime(None)), site)
    there = await switchover.move(runs(monkeypatch, FakeRuntime(None)), site, "qsp-b")
    assert (there.source, there.target, there.done) == ("qsp-b", "qsp-b", True), "where somebody says so"
    with pytest.raises(NotVerified, match="was to run on qsp-b"):
        await switchover.move(runs(monkeypatch, FakeRuntime("qsp-a", stuck=True)), site)


def test_every_engine_that_a_site_may_name_plays_all_roles(site: Site) -> None:
    names = get_args(Site.model_fields["engine"].annotation)
    assert set(engines.ENGINES) == set(names)
    for engine in engines.ENGINES.values():
        for role in ROLES:
            assert callable(getattr(engine.runtime, role)), role


async def test_a_node_that_does_not_answer_is_shown_and_not_an_error(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class Fake:
        runtime: object

    class Runtime:
        async def tree(self, cluster: Cluster) -> FakeTree:
            return tree()

        async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
            async def named(_node: object) -> str:
                return "squid-ha"

            return await views.read_views(cluster, named)

    def silent(command: object) -> str:
        raise Refused("no answer", node="qsp-b")

    monkeypatch.setattr(status, "engine_of", lambda site: Fake(Runtime()))
    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b", silent))
    found = await status.read_status(cluster, site)
    assert found.mirror["qsp-b"] == MirrorView(trouble="no answer")
