"""The pair of virtual machines, at a known state for each test.

A test takes `bare` (nothing installed), `prepared_pair` (the packages), `deployed_pair` (the lab's site on it) or
`pair_of_engine` (that, by each engine in turn); each is restored from its snapshot before the test, in seconds. The lab
is the project's own, the one that the lab's stack file names; if it ran before the tests, it is left running. What is
missing fails the tests: nothing here skips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import control, deployed, lifecycle, snapshot
from lab.manifest import Manifest, take
from lab.paths import run_directory
from lab.shell import shell
from operations.stacks import write_lab
from tests.cluster import declared
from tests.support.lab_pair import Pair

HERE = Path(__file__).parent
ENGINE = "pacemaker"
"""Of the lab's site, unless a test says another, whichever a `make demo` has left in its stack file."""


@dataclass(frozen=True)
class Machines(Pair):
    """The pair, as tests handle it."""

    async def manifest(self, name: str) -> Manifest:
        """What a node is made of."""
        async with shell(name) as connection:
            return await take(connection)

    async def power_off(self, name: str) -> None:
        """Pull a node's plug."""
        await asyncio.to_thread(control.call, "kill", host=name)

    async def power_on(self, name: str) -> None:
        """Switch a node on; it boots for half a minute."""
        await asyncio.to_thread(control.call, "start", host=name)

    async def cut(self, name: str, network: str) -> None:
        """Take a node off `pub` or `rep`."""
        await asyncio.to_thread(control.call, "cut", host=name, network_name=network)

    async def heal(self, name: str) -> None:
        """Put a node back on both networks."""
        await asyncio.to_thread(control.call, "heal", host=name)

    async def keep(self, name: str) -> None:
        """Make a snapshot of the pair as it is now."""
        await asyncio.to_thread(snapshot.save, name)

    async def bring_back(self, name: str) -> None:
        """Restore a snapshot that `keep` made."""
        await asyncio.to_thread(snapshot.restore, name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            # The first test of a run may build the image, boot the pair and deploy the site.
            item.add_marker(pytest.mark.timeout(3000))


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    started = lifecycle.up(print)
    write_lab(engine=ENGINE)
    yield Machines(run_directory())
    if started:
        lifecycle.down()


@pytest.fixture
def bare(machines: Machines) -> Machines:
    """Both nodes as after their first boot; the lab's stack is empty."""
    snapshot.restore(snapshot.BARE)
    return machines


@pytest.fixture
def prepared_pair(machines: Machines) -> Machines:
    """Both nodes with the site's packages installed, and nothing else of it."""
    deployed.ensure_prepared(print)
    return machines


@pytest.fixture
def deployed_pair(machines: Machines) -> Machines:
    """Both nodes with the lab's site on them, and the state of its stack."""
    deployed.ensure(print)
    return machines


@pytest.fixture(scope="module", params=["pacemaker", "lifekeeper"])
def engine(request: pytest.FixtureRequest, machines: Machines) -> Iterator[str]:
    """Each engine in turn, named by the lab's stack file."""
    assert machines
    with declared.declared(request.param):
        yield request.param


@pytest.fixture
def pair_of_engine(engine: str, machines: Machines) -> Machines:
    """Both nodes with the lab's site on them by that engine, and the state of its stack."""
    declared.bring(engine)
    return machines
