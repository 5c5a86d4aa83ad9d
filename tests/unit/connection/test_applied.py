"""Digests of what was applied: who made a difference, the host or the one who edited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from providers import applied
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import State
from providers.reconcile import differences


class Wanted(State):
    nodes: dict[str, dict[str, str | None]]
    order: list[int] = Field(default_factory=list[int])
    later: str | None = None


class OfOne(State):
    node: str
    away: str | None = None


def wanted(text: str | None, order: list[int] | None = None) -> Wanted:
    return Wanted(nodes={"qsp-a": {"/etc/x": text}}, order=order or [])


@pytest.mark.parametrize(
    ("last", "declared", "live", "origin"),
    [
        ("1", "1", "2", "host"),
        ("1", "1", None, "host"),
        ("1", "2", "1", "edited"),
        ("1", "2", "3", "both"),
        (None, "1", None, "edited"),
        (None, "1", "2", "both"),
    ],
)
def test_who_made_a_difference(last: str | None, declared: str, live: str | None, origin: str) -> None:
    (difference,) = differences(wanted(declared), wanted(live))
    assert applied.origin(difference, applied.digests(wanted(last))) == origin
    assert applied.origin(difference, None) == "unknown"


def test_a_whole_part_that_is_missing_counts_by_all_that_is_in_it() -> None:
    whole = wanted("1")
    (difference,) = differences(whole, Wanted(nodes={}))
    assert difference.path == "nodes.qsp-a"
    assert applied.origin(difference, applied.digests(whole)) == "host"
    assert applied.origin(difference, applied.digests(Wanted(nodes={}))) == "edited"


def test_edits_are_seen_whatever_the_hosts_have() -> None:
    last = applied.digests(wanted("1", [1]))
    assert applied.edits(wanted("1", [1]), last) == []
    assert applied.edits(wanted("2"), last) == ['nodes.qsp-a["/etc/x"]', "order"]


@given(st.text(), st.lists(st.integers(0, 9), max_size=3))
def test_what_a_later_release_adds_and_is_not_used_is_no_edit(text: str, order: list[int]) -> None:
    class Earlier(State):
        nodes: dict[str, dict[str, str | None]]

    last = applied.digests(Earlier(nodes={"qsp-a": {"/etc/x": text}}))
    assert bool(applied.edits(wanted(text, order), last)) == bool(order)


async def test_it_is_recorded_where_the_thing_belongs_and_forgotten_there() -> None:
    journals, held = FakeJournals(), list[int]()

    async def hold() -> None:
        held.append(1)

    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"), thing="node-1", journals=journals)
    cluster = replace(cluster, hold=hold)
    own = OfOne(node="qsp-a")
    assert await applied.last(cluster, own) == {"qsp-a": None}
    await applied.record(cluster, own)
    assert held == [1]
    await applied.record(cluster, own, [])
    assert held == [1], "nothing to write down, so no lock"
    assert await applied.last(cluster, own) == {"qsp-a": applied.digests(own)}
    assert await applied.read(cluster, cluster.nodes["qsp-b"]) == {}
    await applied.record(cluster.of("options"), Wanted(nodes={}, order=[1]))
    assert list(await applied.read(cluster, cluster.nodes["qsp-b"])) == ["options"]
    await applied.forget(cluster)
    assert list(await applied.read(cluster, cluster.nodes["qsp-a"])) == ["options"]


def test_where_something_else_or_nothing_stands_it_is_to_be_recorded_and_only_something_else_is_an_edit() -> None:
    fresh, other = applied.digests(wanted("1")), applied.digests(wanted("2"))
    assert applied.stale(wanted("1"), {"qsp-a": fresh, "qsp-b": other, "qsp-c": None}) == ["qsp-b", "qsp-c"]
    assert applied.edited(wanted("1"), {"qsp-a": fresh, "qsp-b": other})
    assert not applied.edited(wanted("1"), {"qsp-a": fresh, "qsp-b": None})


@pytest.mark.parametrize("damaged", ["{", "", "[]", '{"nodes": 1}'])
async def test_a_damaged_note_stops_nobody_and_is_written_anew(damaged: str) -> None:
    journals = FakeJournals()
    cluster = replace(fake_cluster(FakeNode("qsp-a"), journals=journals), thing="x")
    await journals(cluster.node("qsp-a"), applied.APPLIED).put({"x": damaged, "other": '{"a": "1"}'})
    last = await applied.last(cluster, wanted("1"))
    assert (last, applied.stale(wanted("1"), last)) == ({"qsp-a": None}, ["qsp-a"])
    assert await applied.read(cluster, cluster.node("qsp-a")) == {"other": {"a": "1"}}


async def test_what_is_about_a_node_that_is_away_is_recorded_on_no_other() -> None:
    """The other one may not have been claimed yet, and nothing would strike it off there."""
    cluster = fake_cluster(FakeNode("qsp-a"), thing="node-2", journals=FakeJournals())
    away = OfOne(node="qsp-b", away="yes")
    await applied.record(cluster, away)
    assert await applied.read(cluster, cluster.nodes["qsp-a"]) == {}
    await applied.forget(cluster)
