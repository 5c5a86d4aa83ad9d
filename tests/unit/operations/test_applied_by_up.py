"""What Pulumi has a site do is noted on its nodes: after it was applied, not before; and struck off when removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from declaration.site import Site
from providers import reconcile, session
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, command
from providers.connection.errors import NotVerified, Refused, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.connection.journal import APPLIED, NodeJournal
from providers.contract import Absent, Observed, Present, State
from tests.unit.local import LocalNode

THING = "squid-ha/lab/names"
LOOK, CHANGE = command("cat", "/etc/hosts", reads=True), command("touch", "/etc/hosts")


class Wanted(State):
    nodes: dict[str, str]


class OfOne(State):
    node: str


WANTED = Wanted(nodes={"qsp-a": "x", "qsp-b": "y"})
OTHER = Wanted(nodes={"qsp-a": "x", "qsp-b": "z"})


@dataclass
class Kind:
    """A thing that is read by one command on each node it is about, and changed by one that writes."""

    live: State | None = None
    fails: bool = False
    converged: list[State] = field(default_factory=list[State])

    async def observe(self, cluster: Cluster, wanted: State) -> Observed[State]:
        await cluster.each(lambda node: node.run(LOOK), self.nodes(wanted))
        return Absent() if self.live is None else Present(self.live)

    async def converge(self, cluster: Cluster, wanted: State, observed: Observed[State]) -> None:
        if self.fails:
            raise NotVerified("it does not read back as wanted")
        await cluster.each(lambda node: node.run(CHANGE), self.nodes(wanted))
        self.live = wanted
        self.converged.append(wanted)

    async def remove(self, cluster: Cluster, wanted: State) -> None:
        self.live = None

    @staticmethod
    def nodes(wanted: State) -> Sequence[str]:
        return [wanted.node] if isinstance(wanted, OfOne) else list(WANTED.nodes)


Access = Callable[[Cluster], session.SiteAccess]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Kind:
    made = Kind()
    for module in (reconcile, session):
        monkeypatch.setattr(module, "load_kind", lambda _name: made)
    return made


@pytest.fixture
def access(site: Site, monkeypatch: pytest.MonkeyPatch) -> Access:
    """The site, whose cluster is this one."""

    def opened(known: Cluster) -> session.SiteAccess:
        def cluster(self: object, owner: str, thing: str = "", progress: object = print) -> Cluster:
            return known.of(thing)

        monkeypatch.setattr(session.SiteAccess, "cluster", cluster)
        return session.SiteAccess(site, lambda _name: None)

    return opened


def test_a_thing_is_noted_when_it_was_applied_and_forgotten_when_removed(
    kind: Kind, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = FakeJournals()
    up = access(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), journals=journals))

    def noted() -> list[str]:
        books = (journal.values for (_, thing), journal in journals.opened.items() if thing == APPLIED)
        return [thing for values in books for thing in values]

    async def remove(cluster: Cluster, wanted: State) -> None:
        assert noted() == ["names", "names"], "forgotten before it was removed"

    monkeypatch.setattr(kind, "remove", remove)
    kind.fails = True
    with pytest.raises(NotVerified):
        up.apply(THING, "host.names", WANTED)
    assert noted() == []
    kind.fails = False
    up.apply(THING, "host.names", WANTED)
    assert noted() == ["names", "names"]
    up.remove(THING, "host.names", WANTED)
    assert noted() == []


def test_with_the_state_lost_and_the_file_edited_what_is_no_longer_named_is_taken_back(
    kind: Kind, access: Access
) -> None:
    up = access(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")))
    up.apply(THING, "host.names", WANTED)
    kind.live = OTHER  # nothing is seen to differ
    up.apply(THING, "host.names", OTHER)
    up.apply(THING, "host.names", OTHER)
    assert kind.converged == [WANTED, OTHER]


def test_what_another_run_noted_while_this_one_waited_for_the_lock_is_written_over(kind: Kind, access: Access) -> None:
    journals = FakeJournals()

    async def hold(*, without_lost: bool = False) -> None:
        """The other run has the lock until now."""
        for node in WANTED.nodes:
            await journals(FakeNode(node), APPLIED).put({"names": "{}"})

    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), journals=journals)
    access(cluster).apply(THING, "host.names", WANTED)
    kind.live = OTHER
    access(replace(cluster, hold=hold)).apply(THING, "host.names", WANTED)
    assert {journals.opened[node, APPLIED].values["names"] != "{}" for node in WANTED.nodes} == {True}


@dataclass
class Wire:
    """A node behind a slow line: ``moments`` has what was asked while something else was under way, together."""

    node: Node
    moments: list[list[str]] = field(default_factory=list[list[str]])
    under_way: int = 0

    @property
    def name(self) -> str:
        return self.node.name

    async def run(self, command: Command) -> Result:
        (result,) = await self.batch([command])
        return result

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        if not self.under_way:
            self.moments.append([])
        self.moments[-1] = sorted([*self.moments[-1], *map(str, commands)])
        self.under_way += 1
        try:
            for _ in range(20):
                await asyncio.sleep(0)
            return [Result(each, 0, "", "") if each == CHANGE else await self.node.run(each) for each in commands]
        finally:
            self.under_way -= 1


def test_the_first_look_and_what_was_applied_last_are_asked_at_one_moment(
    kind: Kind, access: Access, tmp_path: Path
) -> None:
    """A create looks, asks whose the nodes are, writes, sees that it is so, and notes it; once more, it only looks.

    Over sessions of their own: one reading that hangs holds up no other.
    """
    wires = [Wire(LocalNode(name)) for name in WANTED.nodes]
    nodes: dict[str, Node] = {wire.name: wire for wire in wires}

    def journal(node: Node, thing: str) -> NodeJournal:
        return NodeJournal(node, "lab", thing, root=str(tmp_path / node.name))

    up = access(Cluster("lab", "squid-ha/lab", nodes, journal, print))
    look = [str(LOOK), "read the journal of applied", "read the journal of names"]
    up.apply(THING, "host.names", WANTED)
    note = "put in the journal of applied: names"
    owner = "read the node's owner"
    assert [wire.moments for wire in wires] == [[look, [owner], [str(CHANGE)], [str(LOOK)], [owner], [note]]] * 2
    for wire in wires:
        wire.moments.clear()
    up.apply(THING, "host.names", WANTED)
    assert [wire.moments for wire in wires] == [[look]] * 2


def test_a_node_that_does_not_answer_hides_nothing_of_another_ones_own_thing(kind: Kind, access: Access) -> None:
    def silent(command: Command) -> str:
        raise Unreachable("no SSH connection", node="qsp-b")

    def journal(node: Node, thing: str) -> NodeJournal:
        return NodeJournal(node, "lab", thing)

    nodes = {"qsp-a": FakeNode("qsp-a"), "qsp-b": FakeNode("qsp-b", silent)}
    up = access(Cluster("lab", "squid-ha/lab", nodes, journal, print))
    kind.live = own = OfOne(node="qsp-a")
    assert up.observe("squid-ha/lab/node-1", "host.node", own) == (Present(own), False)
    assert up.apply("squid-ha/lab/node-1", "host.node", own) == Present(own)
    with pytest.raises(Unreachable):
        up.observe(THING, "host.names", WANTED)


def test_what_was_dropped_before_its_stack_was_renamed_and_taken_over_names_the_way_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state has it under the old name, and the nodes are the new one's."""

    def owned(command: Command) -> str:
        return "oslo/owner squid-ha/oslo" if str(command) == "read the node's owner" else ""

    def cluster(self: object, owner: str, thing: str = "", progress: object = print) -> Cluster:
        nodes = FakeNode("qsp-a", owned), FakeNode("qsp-b", owned)
        return fake_cluster(*nodes, site="lab", owner=owner, thing=thing)

    async def remove(kind: str, cluster: Cluster, wanted: State) -> None:
        await cluster.hold()

    monkeypatch.setattr(reconcile, "remove", remove)
    monkeypatch.setattr(session.SiteAccess, "cluster", cluster)
    with pytest.raises(Refused, match="this node belongs to squid-ha/oslo") as refused:
        session.SiteAccess(site, lambda _name: None).remove(THING, "host.names", WANTED)
    assert "`pulumi stack rm --force --preserve-config`" in str(refused.value), "Pulumi deletes the stack file without"
    assert "itself that was renamed since: `pulumi stack rename lab -s STACK`, `takeover: true` and `pulumi up`" in str(
        refused.value
    )
