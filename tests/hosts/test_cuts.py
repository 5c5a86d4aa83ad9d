"""Real runs of the program, cut off on the SSH channel again and again, end in the same state as one that never was.

Each run is ended at its N-th writing command: before that is sent, or after it took effect and before its answer is
used. The next run has to cope with what the one before left, and is cut off itself, until one gets through. Run by
itself it takes a few of the positions, another few each time; `make test-all` (SQUID_HA_ALL_CUTS=1) ends a run after
every single command.
"""

import itertools
import random
from collections.abc import Iterator

import pytest

from tests.support.cuts import ALL, SEED
from tests.support.sites import on_containers
from tests.support.stack import Stack
from tests.support.things import Site, difference, site
from tests.taps import CUT_HERE

pytestmark = pytest.mark.long

TAP = {"SQUID_HA_TAP": "tests.taps:cut"}
MOST = 400
"""Runs after which a chain of cut-off runs has certainly ceased to get anywhere."""


def positions() -> Iterator[str]:
    """Where the runs are cut off, in turn."""
    if ALL:
        # A run that is cut before a command leaves what the one before it left: `after` alone covers every position,
        # and every third run proves it of `before`.
        yield from itertools.cycle(["after:1", "after:1", "before:2"])
    draw = random.Random(SEED)
    while True:
        yield f"{draw.choice(['before', 'after'])}:{draw.randint(4, 14)}"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    return Stack("test-cuts", tmp_path_factory.mktemp("stack"), on_containers(pair.directory))


@pytest.fixture(scope="module")
def untouched(hosts, pair):
    return {name: hosts.manifest(name) for name in pair.names}


@pytest.fixture(scope="module")
def never_cut(stack, hosts, pair, untouched):
    """What a run that nobody disturbed makes; taken back again."""
    stack.up()
    made = {name: comparable(hosts.manifest(name)) for name in pair.names}
    stack.destroy()
    return made


OF_ITS_OWN = ("/authkey", "var/lib/pacemaker/", "var/lib/corosync/")
"""Keys are new with every deployment, and the cluster numbers its own history."""


def comparable(manifest: list[str]) -> list[str]:
    return [line for line in manifest if not any(each in line for each in OF_ITS_OWN)]


def chain(stack: Stack, *command: str) -> int:
    """Run a command until it gets through, cutting every run off; returns how many were."""
    for number, where in enumerate(itertools.islice(positions(), MOST)):
        log = stack.directory / f"{command[0]}-{number}.log"
        environment = {**TAP, "SQUID_HA_CUT": where, "SQUID_HA_CUT_LOG": str(log)}
        run = stack.pulumi(*command, "--yes", "--skip-preview", environment=environment)
        if run.code == 0:
            return number
        was_cut = log.exists() and CUT_HERE in log.read_text()
        assert was_cut, f"the run to be cut off at {where} (seed {SEED}) failed by itself:\n{run.output}"
    pytest.fail(f"{MOST} cut-off runs did not get `{' '.join(command)}` through (seed {SEED})")


@pytest.fixture(scope="module")
def cut_up(stack, never_cut) -> int:
    """The site made by runs that were cut off; how many those were."""
    return chain(stack, "up")


@pytest.mark.timeout(6 * 3600 if ALL else 1500)
def test_runs_of_up_that_were_cut_off_end_where_an_undisturbed_one_ends(cut_up, stack, hosts, pair, never_cut):
    assert cut_up > 0, "no run was cut off, so nothing was tried"
    for name in pair.names:
        left = difference(never_cut[name], comparable(hosts.manifest(name)))
        assert left == [], f"{name} differs from a deployment without cuts (seed {SEED}): {left}"
    assert stack.drift().code == 0


@pytest.mark.timeout(6 * 3600 if ALL else 1500)
def test_runs_of_destroy_that_were_cut_off_leave_the_nodes_as_they_were(cut_up, stack, hosts, pair, untouched):
    assert chain(stack, "destroy") > 0, "no run was cut off, so nothing was tried"
    for name in pair.names:
        left = difference(untouched[name], hosts.manifest(name))
        assert left == [], f"left behind on {name} by destroys that were cut off (seed {SEED}): {left}"
