"""Runs with the engine `lifekeeper` that were cut off at the mirror, or at what stands above it, end as others do.

On restored machines: every cut of a part starts from the same pair, which has all that comes before. By itself a few
positions, others each time; in `make test-all` every one. SQUID_HA_SEED takes the same again.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from blueprint.site import things
from declaration.load import read
from lab import deployed, lifekeeper, snapshot
from lab.paths import run_directory
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from tests.cluster import lab_site
from tests.support.cuts import ALL, SEED, drawn
from tests.support.lifekeeper_lists import differing, lists
from tests.support.sites import reference
from tests.support.stack import Run, Stack
from tests.support.things import OWNER, Site, site
from tests.taps import CUT_HERE

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(12 * 3600 if ALL else 3 * 3600)]

VOLUME = ("tree-mirror", "tree-filesystem")
ABOVE = ("tree-squid", "tree-address")


@dataclass(frozen=True)
class Work:
    """A command of Pulumi's over ``things``, on a pair that has all that comes before ``first``, and no more."""

    command: str
    things: tuple[str, ...]
    first: str

    @property
    def options(self) -> list[str]:
        """Pulumi's, for these things alone; with a destroy what needs them goes too."""
        if self.command == "destroy":
            return [*(f"--target=**::{thing}" for thing in self.things), "--target-dependents"]
        return deployed.targets(self.things)


WORK = {
    "the-mirror": Work("up", VOLUME, VOLUME[0]),
    "what-stands-above-it": Work("up", ABOVE, ABOVE[0]),
    "taking-the-mirror-away": Work("destroy", VOLUME, ABOVE[0]),
}
MOST = 4
"""Positions where not all are taken; each takes two runs of Pulumi."""
LOG = "tail -n 60 /var/log/lifekeeper.log"
DISK = """
blkid --probe --match-tag TYPE --output value /dev/disk/by-id/virtio-data || true
findmnt --noheadings --output SOURCE,FSTYPE,TARGET /mnt/mirror || true
find /var/lib/squid-ha -path '*/things/*' -name 'pending*'
"""


@pytest.fixture(scope="module")
def stack(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    assert machines
    declared = reference(run_directory(), "lifekeeper")
    # A pair that stands still for some seconds, as emulated machines do, is to be no failover here: it would end on the
    # other node, which says nothing of the run that was cut off.
    declared["lifekeeper"]["heartbeat"] = {"interval": "5s", "misses": 18}
    return Stack("test-lifekeeper-mirror", tmp_path_factory.mktemp("stack"), declared)


class Pair:
    """The pair before some work on it, and what runs of that make of it."""

    def __init__(self, machines: Machines, stack: Stack, work: Work) -> None:
        self.machines, self.stack, self.work = machines, stack, work
        self.state, self.kept = stack.directory / "state", stack.directory / f"before-{work.first}"
        names = [each.name for each in things(read(stack.site, stack.name), OWNER)]
        self.before = names[: names.index(work.first)]

    def prepare(self) -> None:
        """All that comes before, both halves of the mirror the same, kept as a snapshot with the stack's state."""
        if self.kept.exists():
            self.restore()
            return
        snapshot.restore(snapshot.BARE)
        for name in self.machines.names:
            asyncio.run(lifekeeper.provide(name))
        self.stack.forget()
        self.stack.up(*deployed.targets(self.before), timeout=2400)
        if set(VOLUME) <= set(self.before):
            self.in_step()
        snapshot.save(self.kept.name)
        shutil.copytree(self.state, self.kept)

    def restore(self) -> None:
        """As after `prepare`."""
        snapshot.restore(self.kept.name)
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)

    def run(self, where: str = "") -> tuple[Run, list[str]]:
        """A run of the work, cut off at ``where``, and the commands that it sent."""
        log = self.stack.directory / "log"
        log.unlink(missing_ok=True)
        environment = {"SQUID_HA_TAP": "tests.taps:cut", "SQUID_HA_CUT": where, "SQUID_HA_CUT_LOG": str(log)}
        words = [self.work.command, "--yes", "--skip-preview", *self.work.options]
        run = self.stack.pulumi(*words, environment=environment, timeout=2400)
        return run, log.read_text().splitlines() if log.exists() else []

    def in_step(self) -> None:
        """Wait until both halves are the same."""
        hosts = self.reach()

        def same() -> bool | None:
            return any("[2/2]" in hosts.sh(name, "cat /proc/mdstat") for name in self.machines.names) or None

        lab_site.until(same, "both halves are the same", limit=1800)

    def looked_at(self) -> dict[str, list[str]]:
        """What LifeKeeper tells, and what lies on the disks, once both halves, if there is a mirror, are the same."""
        if self.work.command == "up":
            self.in_step()
        hosts = self.reach()
        return {name: [*told, *hosts.sh(name, DISK).splitlines()] for name, told in lists(hosts).items()}

    def reach(self) -> Site:
        """The nodes, by new connections: those from before a restore lead nowhere."""
        run_sync(close_all())
        return site(self.machines)

    def said(self) -> str:
        """The end of LifeKeeper's own log on each node: whether it took something over, and why."""
        hosts = self.reach()
        return "\n".join(f"{name}:\n{hosts.sh(name, LOG)}" for name in self.machines.names)


def moments(number: int, draw: random.Random) -> tuple[str, ...]:
    """A run that is cut before a command leaves what one left that was cut after the command before it.

    So `after` alone covers every position, and every third one proves it of `before`.
    """
    if not ALL:
        return (draw.choice(("before", "after")),)
    return ("before", "after") if number % 3 == 1 else ("after",)


def wrong_after(pair: Pair, where: str, made: dict[str, list[str]]) -> str:
    """What differs from ``made`` after a run that was cut off at ``where`` and one that was not; empty when nothing."""
    pair.restore()
    run, sent = pair.run(where)
    assert run.code != 0, f"the run to be cut off at {where} (seed {SEED}) got through:\n{run.output}"
    assert CUT_HERE in sent[-1], f"the run to be cut off at {where} failed by itself:\n{run.output}"
    told = f"{where}, seed {SEED}, at\n  {sent[-2]}"
    run, _ = pair.run()
    if run.code != 0:
        return f"the run after the one that was cut off {told}\nfailed:\n{run.output}"
    try:
        left = differing(made, pair.looked_at())
    except AssertionError as never:
        return f"after a run that was cut off {told}\n{never}\n{pair.said()}"
    return "\n".join([f"after a run that was cut off {told}\ndiffers:", *left, pair.said()]) if left else ""


@pytest.mark.parametrize("work", WORK)
def test_what_a_run_was_doing_when_it_was_cut_off_is_done_by_the_next_run(
    machines: Machines, stack: Stack, capsys: pytest.CaptureFixture[str], work: str
) -> None:
    pair = Pair(machines, stack, WORK[work])
    pair.prepare()
    run, commands = pair.run()
    assert run.code == 0, run.output
    made = pair.looked_at()
    assert any("ext3" in line for line in made["qsp-a"]), made
    assert not any("/pending" in line for told in made.values() for line in told), made
    draw = random.Random(SEED)
    wrong: list[str] = []  # one position that is wrong does not hide the others of a run that takes hours
    for number in drawn(len(commands), MOST):
        for when in moments(number, draw):
            wrong += filter(None, [wrong_after(pair, f"{when}:{number}", made)])
            with capsys.disabled():
                print(f"\ncut off {when} {number} of {len(commands)}, {len(wrong)} wrong: {commands[number - 1]}")
    assert wrong == [], "\n\n".join(wrong)
