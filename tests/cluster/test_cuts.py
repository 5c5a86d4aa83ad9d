"""Runs of `up` on the pair, cut off at a sample of their commands: over the mirror above all, which containers lack.

Every cut of the mirror's starts from the same restored pair. Run by itself it takes a few positions, others each time;
in `make test-all` all of the mirror's. Over the whole of `up` it is always a sample, one cut after the other in one
deployment. SQUID_HA_SEED takes the same ones again.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import deployed
from lab.manifest import Manifest, differences
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.chains import chain, sample
from tests.support.cuts import ALL, SEED, drawn
from tests.taps import CUT_HERE

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = pytest.mark.long

TAP = {"SQUID_HA_TAP": "tests.taps:cut"}
VOLUME = ("mirror", "filesystem")
MOST = 2
"""Positions where not all are taken; each takes two runs of `up`."""
BETWEEN = (20, 45)
"""How many commands a run over everything may send before it is cut off."""
OF_ITS_OWN = ("/etc/drbd.d/*", "/etc/corosync/authkey", "/etc/pacemaker/authkey", "/var/lib/pacemaker/*",
              "/var/lib/corosync/*", "/var/lib/chrony/*", "/var/lib/drbd/*")  # fmt: skip
"""Secrets are new with every deployment, and clusters and clocks number their own history."""
DISK = """
drbdadm status
head=$(mktemp -p /run)
# Past the cache, which does not see what DRBD writes beneath it.
dd if=/dev/disk/by-id/virtio-data of="$head" bs=1M count=2 iflag=direct status=none
blkid --probe --match-tag TYPE --match-tag LABEL --output export "$head" | grep -v ^DEVNAME
rm "$head"
"""


def writes(log: Path) -> list[str]:
    """The commands that a run sent, in order."""
    return log.read_text().splitlines()


class Pair:
    """The prepared pair, and what a run of `up` over some things makes of it."""

    def __init__(self, machines: Machines, things: tuple[str, ...], folder: Path) -> None:
        self.machines, self.things, self.folder, self.stack = machines, things, folder, LabStack()

    def up(self, where: str = "") -> tuple[int, list[str], str]:
        """Exit code, the commands sent, and the output."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        environment = {**TAP, "SQUID_HA_CUT": where, "SQUID_HA_CUT_LOG": str(log)}
        run = self.stack.up(*deployed.targets(self.things), check=False, environment=environment)
        return run.code, writes(log) if log.exists() else [], run.output

    def cut_off_and_run_again(self, where: str) -> str:
        """From the prepared pair on; returns where the first run was cut off, for messages."""
        deployed.ensure_prepared(print)
        code, sent, output = self.up(where)
        assert code != 0, f"the run to be cut off at {where} (seed {SEED}) got through:\n{output}"
        assert CUT_HERE in sent[-1], f"the run to be cut off at {where} (seed {SEED}) failed by itself:\n{output}"
        told = f"cut off {where}, seed {SEED}, at\n  {sent[-2]}"
        code, _, output = self.up()
        assert code == 0, f"the run after the one {told}\nfailed:\n{output}"
        return told

    def disks(self) -> dict[str, str]:
        """What lies on both disks, and how the mirror is, roles aside."""
        names = self.machines.names
        found = {name: asyncio.run(self.machines.sudo(name, DISK)) for name in names}
        return {name: re.sub(r"role:\w+|\d+\.\d+", "", text) for name, text in found.items()}

    def manifests(self) -> dict[str, Manifest]:
        return {name: comparable(asyncio.run(self.machines.manifest(name))) for name in self.machines.names}


def comparable(manifest: Manifest) -> Manifest:
    """Without the content of what is each deployment's own; that it is there, and its mode, still count."""
    own = re.compile("|".join(each.replace("*", ".*") for each in OF_ITS_OWN))
    files = {path: replace(entry, digest="") if own.match(path) else entry for path, entry in manifest.files.items()}
    return replace(manifest, files=files, boot_id="")


def positions(count: int, most: int) -> Iterator[str]:
    draw = random.Random(SEED)
    for number in drawn(count, most):
        yield f"{draw.choice(['before', 'after'])}:{number}"


@pytest.mark.timeout(6 * 3600 if ALL else 1500)
def test_a_mirror_whose_making_was_cut_off_is_made_by_the_next_run(machines: Machines, tmp_path: Path) -> None:
    pair = Pair(machines, VOLUME, tmp_path)
    deployed.ensure_prepared(print)
    code, commands, output = pair.up()
    assert code == 0, output
    disks, manifests = pair.disks(), pair.manifests()
    assert "UpToDate" in disks["qsp-a"], f"the mirror is not up to date: {disks}"
    assert "TYPE=ext3" in disks["qsp-a"], f"there is no filesystem: {disks}"

    for where in positions(len(commands), MOST):
        told = pair.cut_off_and_run_again(where)
        assert pair.disks() == disks, f"after a run {told}"
        for name, after in pair.manifests().items():
            left = list(differences(manifests[name], after))
            assert left == [], f"{name} differs after a run {told}:\n" + "\n".join(left)


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("prepared_pair")
def test_a_deployment_that_was_cut_off_again_and_again_is_finished_by_the_next_run(tmp_path: Path) -> None:
    stack = LabStack()
    cut = chain(stack, "up", cuts=sample(*BETWEEN), logs=tmp_path)
    assert cut > 1, f"only {cut} run was cut off (seed {SEED})"
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), f"the site is well after {cut} runs were cut off (seed {SEED})")
    drift = stack.drift()
    assert drift.code == 0, f"after {cut} runs that were cut off (seed {SEED}):\n{drift.output}"
