"""A site of a few things whose kinds are functions, on nodes that answer or do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from blueprint.thing import Thing
from declaration.site import Site
from operations.drift import Subject, compare, scan
from providers import applied, reconcile
from providers.connection.cluster import Cluster
from providers.connection.errors import Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.connection.loop import run_sync
from providers.contract import Absent, Present, State
from providers.roles import Notice
from tests.support.sites import lab_site

NODES = ("qsp-a", "qsp-b")


class PerNode(State):
    nodes: dict[str, dict[str, str | None]]
    joined: str = "yes"


class OfCluster(State):
    options: dict[str, str | None]


class OfNode(State):
    node: str
    owner: str


@dataclass
class FakeKind:
    """Observes what ``live`` says for what is wanted."""

    live: Callable[[Any], State | None]
    asked: list[list[str]] = field(default_factory=list[list[str]])
    looked_for: list[Any] = field(default_factory=list[Any])

    async def observe(self, cluster: Cluster, wanted: Any) -> Present[Any] | Absent:
        self.asked.append(list(cluster.nodes))
        self.looked_for.append(wanted)
        found = self.live(wanted)
        return Present(found) if found is not None else Absent()


@dataclass
class World:
    """``live`` by kind: what the hosts have; ``silent`` are the nodes that do not answer."""

    things: list[Thing] = field(
        default_factory=lambda: [
            Thing("node-1", "host.node", OfNode(node="qsp-a", owner="squid-ha/lab"), "hosts"),
            Thing("node-2", "host.node", OfNode(node="qsp-b", owner="squid-ha/lab"), "hosts"),
            Thing("files", "files", PerNode(nodes={name: {"/etc/x": "one\ntwo\n"} for name in NODES}), "hosts"),
            Thing("options", "options", OfCluster(options={"stickiness": "100"}), "engine"),
        ]
    )
    live: dict[str, Callable[[Any], State | None]] = field(default_factory=dict[str, Callable[[Any], "State | None"]])
    silent: Sequence[str] = ()
    journals: FakeJournals = field(default_factory=FakeJournals)
    begun: dict[str, str] = field(default_factory=dict[str, str])
    """By node: what its journal has, a line `thing/name` each."""
    notices: Sequence[Notice] | Exception = ()
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    kinds: dict[str, FakeKind] = field(default_factory=dict[str, FakeKind])

    def load(self, kind: str) -> FakeKind:
        return self.kinds.setdefault(kind, FakeKind(self.live.get(kind, lambda wanted: wanted)))

    def deploy(self) -> None:
        """Note what is declared as applied."""
        for thing in self.things:
            run_sync(applied.record(self.cluster().of(thing.name), thing.inputs))

    def cluster(self) -> Cluster:
        nodes = [FakeNode(name, lambda _command, name=name: self.begun.get(name, "")) for name in NODES]
        made = fake_cluster(*nodes, journals=self.journals)
        journals = made.open_journal

        def opened(node: Any, thing: str) -> Any:
            return Gone(node.name) if node.name in self.silent else journals(node, thing)

        return Cluster("lab", "squid-ha/lab", made.nodes, opened, print, secret=self.secrets.get)


class Gone:
    """The journal of a node that does not answer."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def entries(self) -> dict[str, str]:
        raise Unreachable("no SSH connection", node=self.name)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    class Runtime:
        async def notices(self, cluster: Cluster) -> Sequence[Notice]:
            if isinstance(made.notices, Exception):
                raise made.notices
            return made.notices

    class Engine:
        runtime = Runtime()

    monkeypatch.setattr(compare, "load_kind", made.load)
    monkeypatch.setattr(reconcile, "sealed", lambda kind, wanted, secret: wanted)
    # The package offers the function `scan` under its module's name.
    for name, value in (("things", lambda site, owner: made.things), ("engine_of", lambda site: Engine())):
        monkeypatch.setitem(scan.__globals__, name, value)
    return made


@pytest.fixture
def site() -> Site:
    return lab_site()


@pytest.fixture
def look(world: World, site: Site):
    """Scan the world, and others beside it."""

    def scanned(*others: Subject) -> Any:
        return run_sync(scan([Subject("lab", "squid-ha/lab", site, world.cluster), *others]))

    return scanned
