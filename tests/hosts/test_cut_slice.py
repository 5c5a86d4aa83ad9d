"""A slice of the runs that were cut off: two of them, at places that are drawn anew each time. test_cuts has all."""

from __future__ import annotations

import random

import pytest

from tests.support.chains import chain
from tests.support.cuts import SEED
from tests.support.sites import on_containers
from tests.support.stack import Stack
from tests.support.things import difference, site

pytestmark = [pytest.mark.spare, pytest.mark.timeout(900)]

FIRST = 40
"""A run that has this many commands behind it is not yet at its end."""
THROUGH = "after:100000"


def test_two_runs_of_up_that_were_cut_off_are_finished_by_the_next_and_destroy_takes_all_back(pair, tmp_path):
    hosts = site(pair)
    untouched = {name: hosts.manifest(name) for name in pair.names}
    stack = Stack("test-cut-slice", tmp_path, on_containers(pair.directory))
    draw = random.Random(SEED)
    cuts = [f"{draw.choice(['before', 'after'])}:{draw.randint(1, FIRST)}" for _ in range(2)]
    assert chain(stack, "up", cuts=iter([*cuts, THROUGH])) == len(cuts), f"seed {SEED}"
    told = f"after runs that were cut off {', '.join(cuts)} (seed {SEED})"
    assert "unchanged" in stack.preview("--expect-no-changes").output, told
    assert stack.drift().code == 0, told
    stack.destroy()
    left = {name: difference(untouched[name], hosts.manifest(name)) for name in pair.names}
    assert left == {name: [] for name in pair.names}, f"{told}, then a destroy: {left}"
