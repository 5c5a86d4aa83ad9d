import asyncio
from dataclasses import replace
from typing import Any

import pytest

from providers import reconcile
from providers.connection.errors import Refused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.journal import NodeJournal
from providers.connection.ownership import claim, only_own, read_owners, release
from providers.contract import State
from tests.unit.local import LocalNode


@pytest.fixture
def journal(tmp_path):
    return NodeJournal(LocalNode(), "lab", "the/thing", root=str(tmp_path / "squid-ha"))


async def test_ownership(tmp_path):
    node, root = LocalNode(), str(tmp_path / "squid-ha")
    ours = fake_cluster(node, site="lab", owner="squid-ha/lab")
    theirs = fake_cluster(node, site="lab", owner="squid-ha/other")
    elsewhere = fake_cluster(node, site="berlin", owner="squid-ha/lab")
    await release(ours, node, root=root)
    await claim(ours, node, root=root)
    written = len(node.written)
    await claim(ours, node, root=root)
    assert len(node.written) == written
    for foreign in (theirs, elsewhere):
        with pytest.raises(Refused, match=r"qsp-a: this node belongs to squid-ha/lab \(site lab\).*\n.*takeover"):
            await claim(foreign, node, root=root)
        await release(foreign, node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/lab"}
    await claim(fake_cluster(node, site="lab", owner="squid-ha/other", takeover=True), node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/other"}
    await release(theirs, node, root=root)
    assert not (tmp_path / "squid-ha").exists()


async def test_a_takeover_from_another_site_leaves_that_sites_journal(journal, tmp_path):
    node, root = journal._node, str(tmp_path / "squid-ha")
    lab = fake_cluster(node, site="lab", owner="squid-ha/lab")
    await claim(lab, node, root=root)
    await claim(fake_cluster(node, site="empty", owner="squid-ha/empty", takeover=True), node, root=root)
    await claim(replace(lab, takeover=True), node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/lab"}
    assert not (tmp_path / "squid-ha" / "empty").exists()
    await journal.record({"a": "1"})
    berlin = fake_cluster(node, site="berlin", owner="squid-ha/berlin", takeover=True)
    await claim(berlin, node, root=root)
    assert await read_owners(node, root=root) == {"berlin": "squid-ha/berlin"}
    assert await journal.entries() == {"a": "1"}
    with pytest.raises(Refused, match="belongs to squid-ha/berlin"):
        await claim(lab, node, root=root)
    await release(lab, node, root=root)
    await release(berlin, node, root=root)
    assert await read_owners(node, root=root) == {}


async def test_a_takeover_that_was_cut_off_between_two_owners_is_completed(journal, tmp_path):
    node, root = journal._node, str(tmp_path / "squid-ha")
    berlin = fake_cluster(node, site="berlin", owner="squid-ha/berlin", takeover=True)
    await claim(berlin, node, root=root)
    (tmp_path / "squid-ha" / "lab").mkdir()
    (tmp_path / "squid-ha" / "lab" / "owner").write_text("squid-ha/lab\n")
    await claim(berlin, node, root=root)
    assert await read_owners(node, root=root) == {"berlin": "squid-ha/berlin"}


class Together(LocalNode):
    """Both who claim it have read who owns it before either writes."""

    both: asyncio.Barrier

    async def run(self, command):
        result = await super().run(command)
        if str(command) == "read the node's owner":
            await self.both.wait()
        return result


@pytest.mark.parametrize(("takeover", "before"), [(False, ""), (True, ""), (True, "squid-ha/old")])
async def test_of_two_stacks_that_claim_a_node_at_once_one_is_refused(tmp_path, takeover, before):
    node, root = Together(), tmp_path / "squid-ha"
    node.both = asyncio.Barrier(2)
    if before:
        (root / "old").mkdir(parents=True)
        (root / "old" / "owner").write_text(f"{before}\n")
    both = [fake_cluster(node, site=name, owner=f"squid-ha/{name}", takeover=takeover) for name in ("lab", "berlin")]
    answers = await asyncio.gather(*(claim(each, node, root=str(root)) for each in both), return_exceptions=True)
    assert sorted(map(type, answers), key=str) == [type(None), Refused]
    winner = both[answers.index(None)]
    assert await read_owners(LocalNode(), root=str(root)) == {winner.site: winner.owner}


def owned_by(line):
    return lambda command: line if str(command) == "read the node's owner" else ""


NOTHING = State()


class Thing:
    """A kind that notes that it was removed."""

    removed = False

    async def remove(self, _cluster, _wanted):
        self.removed = True


@pytest.mark.parametrize("theirs", ["lab/owner squid-ha/other", "berlin/owner squid-ha/berlin"])
async def test_a_stack_takes_nothing_back_where_another_has_taken_a_node_over(theirs):
    nodes = [FakeNode("qsp-a", owned_by("lab/owner squid-ha/lab")), FakeNode("qsp-b", owned_by(theirs))]
    thing: Any = Thing()
    with pytest.raises(Refused, match=r"qsp-b: this node belongs to squid-ha/\w+ .*\n.*forget it"):
        await reconcile.remove(thing, only_own(fake_cluster(*nodes), ["qsp-a", "qsp-b"], "forget it"), NOTHING)
    assert not thing.removed


def lost(command):
    raise Unreachable("no route", node="qsp-b")


@pytest.mark.parametrize("other", [owned_by(""), owned_by("lab/owner squid-ha/lab"), lost])
async def test_nodes_that_are_its_own_or_nobodys_or_lost_are_no_obstacle(other):
    nodes = [FakeNode("qsp-a", owned_by("lab/owner squid-ha/lab")), FakeNode("qsp-b", other)]
    thing: Any = Thing()
    await reconcile.remove(thing, only_own(fake_cluster(*nodes), ["qsp-a", "qsp-b"], "forget it"), NOTHING)
    assert thing.removed


async def test_only_the_nodes_that_a_thing_is_about_count():
    nodes = [FakeNode("qsp-a", owned_by("lab/owner squid-ha/lab")), FakeNode("qsp-b", owned_by("x/owner squid-ha/x"))]
    thing: Any = Thing()
    await reconcile.remove(thing, only_own(fake_cluster(*nodes), ["qsp-a"], "forget it"), NOTHING)
    assert thing.removed


async def test_whose_a_node_is_is_asked_each_time_for_another_stack_may_have_taken_it_meanwhile():
    answers: dict[str, Any] = {}
    own = owned_by("lab/owner squid-ha/lab")
    nodes = [FakeNode(name, lambda command, name=name: answers.get(name, own)(command)) for name in ("qsp-a", "qsp-b")]
    cluster = only_own(fake_cluster(*nodes), ["qsp-a", "qsp-b"], "forget it")
    await cluster.hold()
    answers["qsp-b"] = owned_by("lab/owner squid-ha/other")
    with pytest.raises(Refused):
        await cluster.hold()
