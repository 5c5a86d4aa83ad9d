from dataclasses import replace

import pytest
from pydantic import Field

from providers.connection.errors import NotVerified, Unknown, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent, Present, State
from providers.reconcile import Difference, apply, differences, remove


class Wanted(State):
    nodes: dict[str, dict[str, str | None]]
    order: list[int] = Field(default_factory=list[int])


class Kind:
    Wanted = Wanted

    def __init__(self, live, *, obeys=True):
        self.live = live
        self.obeys = obeys
        self.calls = []

    async def observe(self, cluster, wanted):
        self.calls.append("observe")
        if isinstance(self.live, Exception):
            raise self.live
        return Absent() if self.live is None else Present(self.live, {"seen": True})

    async def converge(self, cluster, wanted, observed):
        self.calls.append("converge")
        if self.obeys:
            self.live = wanted

    async def remove(self, cluster, wanted):
        self.calls.append("remove")


@pytest.fixture
def held():
    return []


@pytest.fixture
def journals():
    return FakeJournals()


@pytest.fixture
def cluster(held, journals):
    async def hold():
        held.append(1)

    return replace(fake_cluster(FakeNode("qsp-a"), thing="site-time", journals=journals), hold=hold)


WANTED = Wanted(nodes={"qsp-a": {"/etc/x": "one\ntwo\n"}}, order=[1, 2])
OTHER = Wanted(nodes={"qsp-a": {"/etc/x": "one\n2\n"}}, order=[2, 1])


async def test_what_is_true_already_is_neither_locked_nor_changed(cluster, held):
    kind = Kind(WANTED)
    assert (await apply(kind, cluster, WANTED)).facts == {"seen": True}
    assert (kind.calls, held) == (["observe"], [])


@pytest.mark.parametrize("live", [OTHER, None])
async def test_what_differs_is_locked_changed_and_looked_at_again(cluster, held, live):
    kind = Kind(live)
    assert (await apply(kind, cluster, WANTED)).values == WANTED
    assert (kind.calls, held) == (["observe", "converge", "observe"], [1])


async def test_a_change_that_was_begun_or_a_declaration_that_changed_converges(cluster, journals):
    kind = Kind(WANTED)
    await apply(kind, cluster, WANTED, previous=WANTED)
    assert kind.calls == ["observe"]
    await apply(kind, cluster, WANTED, previous=OTHER)
    assert "converge" in kind.calls
    kind.calls.clear()
    await journals(FakeNode("qsp-a"), "site-time").put({"pending restart": ""})
    await apply(kind, cluster, WANTED)
    assert "converge" in kind.calls


async def test_what_does_not_read_back_is_named(cluster):
    with pytest.raises(NotVerified) as caught:
        await apply(Kind(OTHER, obeys=False), cluster, WANTED)
    assert '    nodes.qsp-a["/etc/x"]: line 2: wanted "two\\n", found "2\\n"' in str(caught.value)
    assert "    order: wanted [1, 2], found [2, 1]" in str(caught.value)
    with pytest.raises(NotVerified, match="site-time was made, but it is not there"):
        await apply(Kind(None, obeys=False), cluster, WANTED)


@pytest.mark.parametrize("error", [Unknown("x"), Unreachable("x")])
async def test_unknown_is_not_absent(cluster, held, error):
    kind = Kind(error)
    with pytest.raises(type(error)):
        await apply(kind, cluster, WANTED)
    assert (kind.calls, held) == (["observe"], [])


async def test_removing_is_locked(cluster, held):
    kind = Kind(WANTED)
    await remove(kind, cluster, WANTED)
    assert (kind.calls, held) == (["remove"], [1])


def test_differences():
    left = Wanted(nodes={"a": {"x": "1", "none": None}, "b": {}})
    assert differences(left, left) == []
    assert differences(left, Wanted(nodes={"a": {"x": "1"}, "b": {}})) == []
    assert differences(left, Wanted(nodes={"a": {"x": "2", "y.z": "3"}})) == [
        Difference("nodes.a.x", "1", "2"),
        Difference('nodes.a["y.z"]', None, "3"),
        Difference("nodes.b", {}, None),
    ]


def test_a_text_that_differs_only_at_its_end():
    (difference,) = differences(Wanted(nodes={"a": {"x": "1\n"}}), Wanted(nodes={"a": {"x": "1"}}))
    assert str(difference) == 'nodes.a.x: line 1: wanted "1\\n", found "1"'
