"""What a site becomes in place, told at its first thing."""

import pytest

from blueprint.site import things
from declaration.load import read
from providers import binding, wire
from providers.host import node, phases
from tests.support.phases import Phase, example

IN_PLACE = [("1", "1"), ("1", "2"), ("2", "2"), ("2", "3"), ("3", "3"), ("3", "2")]
OTHERWISE = [("2", "1"), ("3", "1"), ("1", "3")]


def wanted(phase: phases.Phase | None) -> node.Wanted:
    return node.Wanted(node="a", platform="debian-12", hostname="a", owner="o/s", phase=phase)


@pytest.mark.parametrize(("before", "after"), [*IN_PLACE, (None, "1"), (None, "3")])
def test_in_place(before, after):
    assert node.refusal(wanted(before), wanted(after)) is None


@pytest.mark.parametrize(("before", "after"), OTHERWISE)
def test_by_another_way_which_is_told(before, after):
    assert "pulumi up" in (node.refusal(wanted(before), wanted(after)) or "")


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_every_node_knows_its_sites_phase_and_nothing_comes_before_it(phase: Phase):
    made = things(read(example(phase), "example"), "o/s")
    nodes = [thing for thing in made if thing.kind == "host.node"]
    assert [wire.encode(thing.inputs)["phase"] for thing in nodes] == [str(phase)] * len(nodes)
    assert all(thing.after == () for thing in nodes)
    assert [thing.name for thing in made if not thing.after] == [thing.name for thing in nodes]


def test_pulumi_is_told_so_before_anything_is_changed():
    olds, news = ({binding.IDENTITY: "squid-ha/lab/node-1", **wire.encode(wanted(phase))} for phase in ("3", "1"))
    (failure,) = binding.load("host.node").check(olds, news).failures
    assert failure.reason == phases.TO_ONE_NODE
