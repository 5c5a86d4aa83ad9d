"""Real runs of the program, cut off on the SSH channel again and again, end in the same state as one that never was.

See `tests.support.chains` for where.
"""

import pytest

from tests.support.chains import TAP, chain
from tests.support.cuts import ALL, SEED
from tests.support.sites import on_containers
from tests.support.stack import Stack
from tests.support.things import Site, difference, site

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    return Stack("test-cuts", tmp_path_factory.mktemp("stack"), on_containers(pair.directory))


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


def test_a_destroy_after_a_first_run_that_failed_says_what_nobody_would_take_back(stack, hosts, pair, untouched):
    """What could not be finished is in no state: Pulumi has nothing to remove it by."""
    cut = {**TAP, "SQUID_HA_CUT": "after:12", "SQUID_HA_CUT_LOG": str(stack.directory / "first.log")}
    assert stack.pulumi("up", "--yes", "--skip-preview", environment=cut).code != 0
    refused = stack.destroy(check=False)
    assert refused.code != 0, refused.output
    assert "packages: journalled here, but not in Pulumi's state" in " ".join(refused.output.split())
    stack.up()
    stack.destroy()
    for name in pair.names:
        assert difference(untouched[name], hosts.manifest(name)) == [], f"left behind on {name}"
