"""What somebody changes by hand of a mirror and its filesystem, on real disks: named, and repaired or refused.

The tests build on each other, in this order.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from blueprint.site import things
from declaration.load import read
from lab import lifekeeper, snapshot
from lab.paths import run_directory
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from providers.lifekeeper import mirror_view
from tests.cluster import lab_site
from tests.support.by_hand import BIN, try_out
from tests.support.lifekeeper_changes import HALF, MIRROR, VOLUME, A, B
from tests.support.sites import reference
from tests.support.things import OWNER, Site, site, up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blueprint.thing import Thing
    from providers.roles import MirrorView
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

MDSTAT = f"cat /proc/mdstat; echo; findmnt -rno SOURCE --mountpoint {VOLUME}"


@pytest.fixture(scope="module")
def listed() -> Sequence[Thing]:
    """LifeKeeper, its paths, the mirror and its filesystem: what stands above them needs Squid."""
    declared = things(read(reference(run_directory(), "lifekeeper"), "test"), OWNER)
    return [each for each in declared if each.name in ("lifekeeper", "paths", "tree-mirror", "tree-filesystem")]


@pytest.fixture(scope="module")
def nodes(machines: Machines, listed: Sequence[Thing]) -> Site:
    """The pair with its mirror in step."""
    snapshot.restore(snapshot.BARE)
    run_sync(close_all())  # connections from before a restore lead nowhere
    for name in (A, B):
        asyncio.run(lifekeeper.provide(name))
    made = site(machines)
    up(made, listed)
    until_in_step(made)
    return made


def view(nodes: Site) -> MirrorView:
    return mirror_view.parse_mdstat(nodes.sh(A, MDSTAT, ok=None))


def until_in_step(nodes: Site) -> None:
    lab_site.until(lambda: view(nodes).whole or None, "the mirror is the same on both nodes", limit=1800)


def test_it_reads_back_as_declared(nodes: Site, listed: Sequence[Thing]) -> None:
    assert nodes.findings(listed) == set()


@pytest.mark.parametrize("what", MIRROR)
def test_what_is_changed_by_hand_is_named_and_repaired(nodes: Site, listed: Sequence[Thing], what: str) -> None:
    try_out(nodes, listed, MIRROR[what])


def test_a_paused_mirror_is_no_drift_and_is_told_by_its_state(nodes: Site, listed: Sequence[Thing]) -> None:
    """Pausing is an operator's action, as a switchover is; whether both halves are the same, `status` tells."""
    until_in_step(nodes)
    nodes.sh(A, f"{BIN}/mirror_action {HALF} pause")
    lab_site.until(lambda: view(nodes).connection == "broken" or None, "the paused mirror is told as broken", limit=60)
    assert nodes.findings(listed) == set()
    nodes.sh(A, f"{BIN}/mirror_action {HALF} resume")
    until_in_step(nodes)
    assert nodes.findings(listed) == set()
