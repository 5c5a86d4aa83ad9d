"""One site from nothing through its phases and back, by editing its file, on the pair of machines under client load."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.addresses import VIRTUAL_IP
from lab.paths import run_directory
from tests.support.clients import Clients, table
from tests.support.phases import Phase, on_machines
from tests.support.stack import PROJECT, Stack

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

FIRST = "qsp-a"
NODE, PAIR = "192.0.2.11:3128", f"{VIRTUAL_IP}:3128"
STARTED = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"
MIRROR_LOG = "/mnt/mirror/squid/access.log"
ORIGIN = "http://192.0.2.1/"
MARKER = "/mnt/mirror/squid/marker"
RELOAD = 15.0
"""Seconds without an answer that reading a new configuration may cost in an emulated guest; a restart takes longer."""
LITTLE = 64 * 1024
"""KiB, of a volume of 1 GB: two halves that stayed as they were have next to nothing to synchronise."""


class Site:
    """What can be seen of the site on its first node, which runs the service in this test."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines

    def sh(self, script: str, node: str = FIRST) -> str:
        return asyncio.run(self.machines.sudo(node, script, timeout=300)).strip()

    def process(self) -> str:
        """Which process of Squid runs, and since when."""
        return self.sh(STARTED)

    def records(self, run: str, log: str = MIRROR_LOG) -> int:
        """How many requests of a run the log has."""
        return int(self.sh(f"grep -c '/r/{run}-' {log} || true"))

    def synchronised(self) -> int:
        """KiB that DRBD has set out to synchronise since the boot."""
        said = self.sh("dmesg | grep 'Began resync' || true")
        return sum(int(amount) for amount in re.findall(r"will sync (\d+) KB", said))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_from_nothing_to_a_mirror_and_back_and_again(
    bare: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, stack = Site(bare), Stack("test-phases-pair", tmp_path, on_machines(1, run_directory()))

    transcript: list[str] = []

    def told(*words: str) -> None:
        """What a person does next, as it is printed."""
        done = subprocess.run(
            [PROJECT / ".venv/bin/squid-ha", *words], cwd=PROJECT, env={**stack.environment, "COLUMNS": "150"},
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        transcript.append(f"$ squid-ha {' '.join(words)}\n{done.stderr}{done.stdout}")
        assert done.returncode == 0, transcript[-1]

    def reach(phase: Phase) -> None:
        stack.site = on_machines(phase, run_directory())
        transcript.append(f"$ pulumi up, phase {phase}\n{stack.up(timeout=3000).output}")
        told("verify", stack.name, "--url", ORIGIN)

    reach(1)
    before = site.process()
    assert site.sh("systemctl is-enabled squid") == "enabled"

    with Clients("node", NODE) as clients:
        costs = clients.costs
        with clients.step("phase 1 to 2"):
            reach(2)
    assert site.process() == before, "Squid was started anew when the engine took it over"
    assert site.sh("systemctl is-enabled squid || true") == "disabled"
    assert site.sh("systemctl is-active squid || true", "qsp-b") == "inactive"
    assert costs[0].failed == 0, table(costs)

    with Clients("pair", PAIR) as clients:
        clients.costs = costs
        with clients.step("phase 2 to 3"):
            reach(3)
        assert site.process() == before, "the mirror was inserted below Squid, and Squid was started anew"
        assert site.records("pair") > 0, "requests after the step have no record on the mirror"
        first = site.records("pair")
        site.sh(f"echo kept > {MARKER}; sync")

        with clients.step("phase 3 to 2"):
            reach(2)
        assert site.process() == before
        for node in bare.names:
            assert site.sh("findmnt /mnt/mirror || echo none", node) == "none"
            assert "role:" not in site.sh("[ ! -d /sys/module/drbd ] || drbdsetup status", node), (
                "the mirror is still up"
            )
        assert site.records("pair", "/var/log/squid/access.log") > first

        synchronised = site.synchronised()
        with clients.step("phase 2 to 3 again"):
            reach(3)
        assert site.process() == before
        assert site.sh(f"cat {MARKER}") == "kept", "the data of the first time is not there"
        assert site.records("pair") > first, "the log on the mirror does not go on where it ended"
        assert site.synchronised() - synchronised < LITTLE, "adopting the two halves synchronised the whole volume"
    assert max(cost.pause for cost in costs) < RELOAD, table(costs)
    assert "unchanged" in stack.preview("--expect-no-changes").output
    transcript.append(stack.pulumi("stack", "output", "mirror_log").output)
    for words in (("status",), ("logs", "-n", "3"), ("verify", "--move", "--url", ORIGIN)):
        told(words[0], stack.name, *words[1:])
    stack.destroy()
    with capsys.disabled():
        print("\n".join(["", *transcript, table(costs)]))
