"""Runs over the mirror of the engine `lifekeeper` that were cut off, on restored machines, end as one that was not.

Every cut starts from the same pair: LifeKeeper installed, its paths alive, both disks blank. By itself a few positions,
others each time; in `make test-all` every one, before and after it takes effect. SQUID_HA_SEED takes the same again.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from lab import deployed, lifekeeper, snapshot
from lab.paths import run_directory
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from tests.cluster import lab_site
from tests.support.cuts import ALL, SEED, drawn
from tests.support.lifekeeper_lists import differing, lists
from tests.support.sites import reference
from tests.support.stack import Run, Stack
from tests.support.things import Site, site
from tests.taps import CUT_HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(12 * 3600 if ALL else 3 * 3600)]

BEFORE = ("node-1", "node-2", "packages", "names", "time", "lifekeeper", "paths")
VOLUME = ("tree-mirror", "tree-filesystem")
SNAPSHOT = "lifekeeper-paths"
MOST = 4
"""Positions where not all are taken; each takes two runs of `up`."""
LOG = "tail -n 60 /var/log/lifekeeper.log"
DISK = """
blkid --probe --match-tag TYPE --output value /dev/disk/by-id/virtio-data || true
findmnt --noheadings --output SOURCE,FSTYPE,TARGET /mnt/mirror || true
"""


class Pair:
    """The pair before it has a mirror, and what runs of `up` over the mirror make of it."""

    def __init__(self, machines: Machines, folder: Path) -> None:
        self.machines, self.folder = machines, folder
        declared = reference(run_directory(), "lifekeeper")
        # A pair that stands still for some seconds, as emulated machines do, is to be no failover here: it would end
        # on the other node, which says nothing of the run that was cut off.
        declared["lifekeeper"]["heartbeat"] = {"interval": "5s", "misses": 18}
        self.stack = Stack("test-lifekeeper-mirror", folder, declared)

    def prepare(self) -> None:
        """LifeKeeper on both nodes and its paths, kept as a snapshot with the stack's state."""
        snapshot.restore(snapshot.BARE)
        for name in self.machines.names:
            asyncio.run(lifekeeper.provide(name))
        self.stack.up(*deployed.targets(BEFORE), timeout=2400)
        shutil.copytree(self.folder / "state", self.folder / "kept")
        snapshot.save(SNAPSHOT)

    def up(self, where: str = "") -> tuple[Run, list[str]]:
        """A run over the mirror, cut off at ``where``, and the commands that it sent."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        environment = {"SQUID_HA_TAP": "tests.taps:cut", "SQUID_HA_CUT": where, "SQUID_HA_CUT_LOG": str(log)}
        run = self.stack.up(*deployed.targets(VOLUME), check=False, environment=environment, timeout=2400)
        return run, log.read_text().splitlines() if log.exists() else []

    def restore(self) -> None:
        """As after `prepare`."""
        snapshot.restore(SNAPSHOT)
        shutil.rmtree(self.folder / "state")
        shutil.copytree(self.folder / "kept", self.folder / "state")

    def looked_at(self) -> dict[str, list[str]]:
        """What LifeKeeper tells, and what lies on the disks, once both halves are the same."""
        run_sync(close_all())  # connections from before a restore lead nowhere
        hosts: Site = site(self.machines)

        def in_step() -> bool | None:
            return any("[2/2]" in hosts.sh(name, "cat /proc/mdstat") for name in self.machines.names) or None

        lab_site.until(in_step, "both halves are the same", limit=1800)
        return {name: [*told, *hosts.sh(name, DISK).splitlines()] for name, told in lists(hosts).items()}

    def said(self) -> str:
        """The end of LifeKeeper's own log on each node: whether it took something over, and why."""
        hosts: Site = site(self.machines)
        return "\n".join(f"{name}:\n{hosts.sh(name, LOG)}" for name in self.machines.names)


def test_a_mirror_whose_making_was_cut_off_is_made_by_the_next_run(
    machines: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = Pair(machines, tmp_path)
    pair.prepare()
    run, commands = pair.up()
    assert run.code == 0, run.output
    made = pair.looked_at()
    assert any("ext3" in line for line in made["qsp-a"]), made
    draw = random.Random(SEED)
    for number in drawn(len(commands), MOST):
        for when in ("before", "after") if ALL else (draw.choice(("before", "after")),):
            where = f"{when}:{number}"
            pair.restore()
            run, sent = pair.up(where)
            assert run.code != 0, f"the run to be cut off at {where} (seed {SEED}) got through:\n{run.output}"
            assert CUT_HERE in sent[-1], f"the run to be cut off at {where} failed by itself:\n{run.output}"
            told = f"cut off {where} of {len(commands)}, seed {SEED}, at\n  {sent[-2]}"
            with capsys.disabled():
                print(f"\n{told}")
            run, _ = pair.up()
            assert run.code == 0, f"the run after the one {told}\nfailed:\n{run.output}"
            left = differing(made, pair.looked_at())
            assert left == [], "\n".join([f"after a run {told}\ndiffers:", *left, pair.said()])
