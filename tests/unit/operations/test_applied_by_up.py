"""What Pulumi has a site do is noted on its nodes: after it was applied, not before; and struck off when removed."""

from __future__ import annotations

from typing import Any

import pytest

from declaration.site import Site
from providers import reconcile, session
from providers.connection.cluster import Cluster
from providers.connection.command import Command
from providers.connection.errors import NotVerified, Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.connection.journal import APPLIED
from providers.contract import Present, State

THING = "squid-ha/lab/names"


class Wanted(State):
    nodes: dict[str, str]


WANTED = Wanted(nodes={"qsp-a": "x", "qsp-b": "y"})
OTHER = Wanted(nodes={"qsp-a": "x", "qsp-b": "z"})


def test_a_thing_is_noted_when_it_was_applied_and_forgotten_when_removed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = FakeJournals()
    fails = True

    edited: list[bool] = []

    async def apply(kind: str, cluster: Cluster, wanted: State, **told: Any) -> Present[State]:
        edited.append(told["edited"])
        if fails:
            raise NotVerified("it does not read back as wanted")
        return Present(wanted)

    async def remove(kind: str, cluster: Cluster, wanted: State) -> None:
        assert noted() == ["names", "names"], "forgotten before it was removed"

    def cluster(self: object, owner: str, thing: str = "", progress: object = print) -> Cluster:
        return fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), journals=journals, thing=thing)

    def noted() -> list[str]:
        books = (journal.values for (_, thing), journal in journals.opened.items() if thing == APPLIED)
        return [thing for values in books for thing in values]

    monkeypatch.setattr(reconcile, "apply", apply)
    monkeypatch.setattr(reconcile, "remove", remove)
    monkeypatch.setattr(session.SiteAccess, "cluster", cluster)
    access = session.SiteAccess(site, lambda _name: None)
    with pytest.raises(NotVerified):
        access.apply(THING, "host.names", WANTED)
    assert noted() == []
    fails = False
    access.apply(THING, "host.names", WANTED)
    assert noted() == ["names", "names"]
    # As with the state lost and the file edited meanwhile: what is no longer named is to be taken back.
    access.apply(THING, "host.names", OTHER)
    access.apply(THING, "host.names", OTHER)
    assert edited == [False, False, True, False]
    access.remove(THING, "host.names", WANTED)
    assert noted() == []


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
    assert "itself that was renamed since: `pulumi stack rename lab`, `takeover: true` and `pulumi up`" in str(
        refused.value
    )
