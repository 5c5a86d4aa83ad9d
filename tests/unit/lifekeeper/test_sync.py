"""What is written is said to be written to disk, once, when all of it is; and nothing where nothing was written."""

import asyncio

import pytest

from providers.contract import Absent
from providers.kinds import load_kind
from tests.unit.lifekeeper.test_providers import cut_off, down, fresh, members, up

SYNC = "/opt/LifeKeeper/bin/lcdsync"
BOTH = [("proxy-a", SYNC), ("proxy-b", SYNC)]


def told(pair):
    """Lines to LifeKeeper, apart from those that stop and start it."""
    return [each for each in pair.said if each[1].startswith("/opt/LifeKeeper") and "lkcli start" not in each[1]]


def syncs(pair):
    return [each for each in pair.said if each[1] == SYNC]


@pytest.mark.parametrize("thing", members(), ids=lambda thing: thing.name)
def test_what_a_thing_writes_ends_with_it(thing):
    pair, listed = fresh(), members()
    up(pair, listed[: [each.name for each in listed].index(thing.name)])
    pair.said.clear()
    up(pair, [thing])
    wrote = [each for each in told(pair) if each[1] != SYNC]
    assert syncs(pair) == (BOTH if wrote else [])
    assert told(pair) == wrote + syncs(pair)


def test_nothing_is_said_where_nothing_is_to_be_written():
    pair, listed = fresh(), members()
    up(pair, listed)
    pair.said.clear()
    up(pair, listed)
    assert pair.said == []


@pytest.mark.parametrize(("name", "line"), [("paths", "net_remove"), ("tree-squid", "dep_remove")])
def test_what_is_no_longer_wanted_is_gone_on_disk_too(name, line):
    pair, listed = fresh(), members()
    up(pair, listed)
    thing = next(each for each in listed if each.name == name)
    for node in thing.inputs.nodes.values():
        if name == "paths":
            del node.sides[next(iter(node.sides))]
        else:
            node.depends_on.clear()
    pair.said.clear()
    asyncio.run(load_kind(thing.kind).converge(pair.cluster(name), thing.inputs, Absent()))
    assert [line in said for _, said in told(pair)] == [True, True, False, False]
    assert told(pair)[2:] == BOTH


def test_a_removal_ends_with_it_and_one_that_finds_nothing_says_nothing():
    pair, (lifekeeper, *listed) = fresh(), members()
    up(pair, [lifekeeper, *listed])
    for thing in reversed(listed):
        pair.said.clear()
        down(pair, [thing])
        if thing.name != "tree-filesystem":  # it goes with its mirror
            assert told(pair)[-2:] == syncs(pair) == BOTH, thing.name
    pair.said.clear()
    down(pair, listed)
    assert pair.said == []


@pytest.mark.parametrize("run", [up, down])
@pytest.mark.parametrize("name", ["paths", "tree-mirror", "tree-squid", "tree-address"])
def test_what_a_run_wrote_that_was_cut_off_before_all_was_on_disk_is_not_forgotten(run, name):
    pair, listed = fresh(), members()
    place = [each.name for each in listed].index(name)
    up(pair, listed if run is down else listed[:place])
    if run is down:
        down(pair, listed[place + 1 :])
    cut_off(pair, [listed[place]], "lcdsync", run)
    pair.said.clear()
    run(pair, [listed[place]])
    assert told(pair) == BOTH
    pair.said.clear()
    run(pair, [listed[place]])
    assert pair.said == []
