"""A slice of the runs that were cut off, for `make test`; test_cuts and test_lifekeeper_cuts have all."""

from __future__ import annotations

import asyncio

import pytest

from lab import lifekeeper
from tests.support.chains import slice_of_up
from tests.support.lifekeeper_lists import PRODUCT
from tests.support.sites import on_containers, on_lifekeeper
from tests.support.stack import Stack
from tests.support.things import Site, difference, site

pytestmark = [pytest.mark.turns("cut-off runs"), pytest.mark.timeout(900)]


def made_and_taken_back(stack: Stack, hosts: Site) -> tuple[str, dict[str, list[str]]]:
    """How the runs were cut off, and what a destroy then leaves of the site on each node."""
    untouched = {name: hosts.manifest(name) for name in hosts.cluster.nodes}
    told = slice_of_up(stack)
    stack.destroy()
    return told, {name: difference(before, hosts.manifest(name)) for name, before in untouched.items()}


def test_two_runs_of_up_that_were_cut_off_are_finished_by_the_next_and_destroy_takes_all_back(pair, tmp_path):
    stack = Stack("test-cut-slice", tmp_path, on_containers(pair.directory))
    told, left = made_and_taken_back(stack, site(pair))
    assert left == {name: [] for name in pair.names}, f"{told}, then a destroy: {left}"


def test_with_lifekeeper_the_same(pair, tmp_path):
    """Its destroy leaves the product installed, which has no command that takes it away. The stack is not named after
    the product: what is left of the stack counts."""
    for node in pair.names:
        asyncio.run(lifekeeper.provide(node))
    stack = Stack("test-cut-slice-other", tmp_path, on_lifekeeper(pair.directory))
    told, left = made_and_taken_back(stack, site(pair))
    ours = {name: [line for line in lines if not PRODUCT.search(line)] for name, lines in left.items()}
    assert ours == {name: [] for name in pair.names}, f"{told}, then a destroy: {ours}"
