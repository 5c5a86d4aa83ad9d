"""Orders and decisions of the stand-in, without a host."""

from hypothesis import given
from hypothesis import strategies as st

from lab.lifekeeper.node import tree
from lab.lifekeeper.node.lcd import Equivalency, Instance

SERVICE = [("vip", "squid"), ("squid", "/mnt/mirror"), ("/mnt/mirror", "datarep")]


def instances(*tags: str, **states: str) -> dict[str, Instance]:
    return {tag: Instance("gen", "app", tag, tag, state=states.get(tag, "OSU")) for tag in tags}


def shared(*tags: str, own: int = 10, other: int = 1) -> list[Equivalency]:
    return [Equivalency(tag, "qsp-b", tag, own, other) for tag in tags]


# A resource depends only on those with a smaller number, so that there is no circle.
forests = st.lists(
    st.tuples(st.integers(1, 8), st.integers(0, 7)).filter(lambda pair: pair[0] > pair[1]), max_size=12, unique=True
).map(lambda pairs: [(str(parent), str(child)) for parent, child in pairs])


@given(forests)
def test_children_are_brought_into_service_first(pairs: list[tuple[str, str]]):
    for tag in map(str, range(9)):
        order = tree.below(pairs, tag)
        assert order[-1] == tag
        assert len(set(order)) == len(order)
        assert all(order.index(child) < order.index(parent) for parent, child in pairs if parent in order)


@given(forests, st.lists(st.integers(0, 8).map(str), unique=True))
def test_parents_are_taken_out_of_service_first(pairs: list[tuple[str, str]], tags: list[str]):
    order = tree.removal(pairs, tags)
    assert set(tags) <= set(order)
    assert all(parent in order for parent, child in pairs if child in order)
    assert all(order.index(parent) < order.index(child) for parent, child in pairs if child in order)


@given(forests)
def test_a_whole_hierarchy_is_the_same_from_everywhere_in_it(pairs: list[tuple[str, str]]):
    for tag in map(str, range(9)):
        found = tree.whole(pairs, tag)
        assert tag in found
        assert all(set(tree.whole(pairs, each)) == set(found) for each in found)
        assert all(found.index(child) < found.index(parent) for parent, child in pairs if parent in found)


def test_the_service_goes_up_from_the_mirror_and_down_to_it():
    assert tree.below(SERVICE, "vip") == ["datarep", "/mnt/mirror", "squid", "vip"]
    assert tree.removal(SERVICE, ["datarep"]) == ["vip", "squid", "/mnt/mirror", "datarep"]
    assert tree.removal(SERVICE, ["squid"]) == ["vip", "squid"]
    assert tree.roots(SERVICE, ["vip", "squid", "alone"]) == ["vip", "alone"]


def test_what_a_lost_node_had_is_taken_over_from_the_top():
    own = instances("vip", "squid", "other")
    pairs, same = [("vip", "squid")], shared("vip", "squid", "other")
    assert tree.takeover(own, pairs, same, "qsp-b", {"vip": "ISP", "squid": "ISP", "other": "OSU"}) == ["vip"]
    assert tree.takeover(own, pairs, same, "qsp-b", {"vip": "OSU", "squid": "ISP"}) == ["squid"]


def test_nothing_is_taken_over_that_is_here_or_was_nowhere_or_is_elsewhere():
    own = instances("vip", "squid", vip="ISP")
    assert tree.takeover(own, [], shared("vip"), "qsp-b", {"vip": "ISP"}) == []
    assert tree.takeover(own, [], shared("squid"), "qsp-b", {"squid": "OSF"}) == []
    assert tree.takeover(own, [], shared("squid"), "qsp-c", {"squid": "ISP"}) == []


def test_only_an_automatic_resource_comes_back_and_only_to_the_better_node():
    own, there = instances("vip"), {"vip": "ISP"}
    assert tree.switchbacks(own, [], shared("vip", own=1, other=10), "qsp-b", there) == []
    own["vip"].switchback = "AUTOMATIC"
    assert tree.switchbacks(own, [], shared("vip", own=1, other=10), "qsp-b", there) == ["vip"]
    assert tree.switchbacks(own, [], shared("vip", own=10, other=1), "qsp-b", there) == []
    assert tree.switchbacks(own, [], shared("vip", own=1, other=10), "qsp-b", {"vip": "OSU"}) == []
