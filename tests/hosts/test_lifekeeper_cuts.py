"""Runs with the engine `lifekeeper` that were cut off, on the stand-in, end where an undisturbed one ends.

Over all that needs no mirror; see `tests.support.chains` for where. A destroy leaves the product installed: it has no
command that takes it away. All else is as on nodes that nobody touched.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from typing import Any

import pytest

from lab import lifekeeper
from tests.support.chains import chain, sample
from tests.support.cuts import ALL, SEED
from tests.support.lifekeeper_lists import PRODUCT, differing, lists
from tests.support.sites import on_lifekeeper, with_all_of_lifekeeper
from tests.support.stack import Stack
from tests.support.things import Site, difference, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(6 * 3600 if ALL else 1800)]

Told = dict[str, list[str]]


@dataclass(frozen=True)
class NeverCut:
    """What LifeKeeper tells after runs that nobody disturbed: made, changed, and taken back again."""

    made: Told
    changed: Told
    left: Told


def changed(site: dict[str, Any]) -> dict[str, Any]:
    """The site with other values of what takes more than one command: LifeKeeper is stopped for its heartbeat."""
    other = copy.deepcopy(site)
    other["lifekeeper"] |= {
        "heartbeat": {"interval": "2s", "misses": 9},
        "check_interval": "3s",
        "switchback": "automatic",
        "paths": [{"network": "replication", "priority": 1}, {"network": "public", "priority": 3}],
    }
    other["lifekeeper"]["generic"][0]["quick_check"] += "# changed\n"
    return other


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    for node in pair.names:
        asyncio.run(lifekeeper.provide(node))
    return site(pair)


@pytest.fixture(scope="module")
def untouched(hosts: Site) -> dict[str, list[str]]:
    return {name: hosts.manifest(name) for name in hosts.cluster.nodes}


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    return Stack(
        "test-cuts-other", tmp_path_factory.mktemp("stack"), with_all_of_lifekeeper(on_lifekeeper(pair.directory))
    )


@pytest.fixture(scope="module")
def never_cut(stack, hosts, untouched) -> NeverCut:
    first = stack.site
    stack.up()
    made = lists(hosts)
    stack.site = changed(first)
    stack.up()
    altered = lists(hosts)
    assert differing(made, altered), "nothing was changed, so that changing it cannot be cut off"
    stack.destroy()
    stack.site = first
    return NeverCut(made, altered, lists(hosts))


@pytest.fixture(scope="module")
def cut_up(stack, never_cut) -> int:
    """The site made by runs that were cut off; how many those were."""
    return chain(stack, "up")


def test_runs_of_up_end_where_an_undisturbed_one_ends(cut_up, stack, hosts, never_cut):
    assert cut_up > 0, "no run was cut off, so nothing was tried"
    assert differing(never_cut.made, lists(hosts)) == [], f"seed {SEED}"
    assert stack.drift().code == 0


def test_runs_that_change_it_end_where_an_undisturbed_one_ends(cut_up, stack, hosts, never_cut, tmp_path):
    stack.site = changed(stack.site)
    cuts = None if ALL else sample(1, 6)
    assert chain(stack, "up", cuts=cuts, logs=tmp_path) > 0, "no run was cut off, so nothing was tried"
    assert differing(never_cut.changed, lists(hosts)) == [], f"seed {SEED}"
    assert stack.drift().code == 0


def test_runs_of_destroy_leave_nothing_of_the_site(cut_up, stack, hosts, never_cut, untouched):
    assert chain(stack, "destroy") > 0, "no run was cut off, so nothing was tried"
    assert differing(never_cut.left, lists(hosts)) == [], f"seed {SEED}"
    for name, before in untouched.items():
        left = [line for line in difference(before, hosts.manifest(name)) if not PRODUCT.search(line)]
        assert left == [], f"left behind on {name} by destroys that were cut off (seed {SEED}): {left}"
