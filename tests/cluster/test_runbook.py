"""Procedures of docs/runbook.md, typed as they stand there, by each engine: an OS upgrade, a mirror that is full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import demo, load
from tests.cluster import lab_site
from tests.cluster.newer_packages import reboot, upgrade

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from operations.site import Hosts
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * 3600)]

SQUID = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"
OF_THE_ENGINE = {"pacemaker": {"corosync", "pacemaker", "sbd", "drbd-utils"}, "lifekeeper": {"mdadm", "nbd"}}
ORIGIN = "http://192.0.2.1/runbook"
OLD_LOG = "/mnt/mirror/squid/access.log.14.gz"
FULL = f"""
fallocate -l "$(df --output=avail -B1 /mnt/mirror | tail -n 1)" {OLD_LOG} 2>/dev/null ||
    dd if=/dev/zero of={OLD_LOG} bs=1M conv=notrunc oflag=append status=none 2>/dev/null || true
"""
QUIET = 90
"""How many looks in a row, each of a second or more, find Squid nowhere once the service has given up."""
UNANSWERED = 50
TRIES = 4


def did(*words: str, code: int = 0) -> CompletedProcess[str]:
    """A command that ends as the runbook says."""
    done = lab_site.squid_ha(*words)
    assert done.returncode == code, f"squid-ha {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def well(hosts: Hosts, what: str) -> str:
    """Wait as with `status --watch`; returns the active node."""
    status = lab_site.until(lambda: lab_site.healthy(hosts), what, limit=1800)
    assert status.tree.active is not None
    return status.tree.active


def test_each_node_is_upgraded_while_the_other_serves(engine: str, pair_of_engine: Machines) -> None:
    machines, hosts = pair_of_engine, lab_site.reach()
    active = well(hosts, "the restored pair is healthy")
    for _ in machines.names:
        standby = lab_site.other(hosts, active)
        did("node", "aside", "lab", standby)
        before = asyncio.run(machines.sudo(active, SQUID))
        upgraded = upgrade(machines, standby)
        assert upgraded >= {"squid", "chrony"} | OF_THE_ENGINE[engine]
        reboot(machines, standby)
        did("node", "back", "lab", standby)
        hosts = lab_site.reach()
        assert well(hosts, f"the mirror has caught up on {standby}") == active
        assert asyncio.run(machines.sudo(active, SQUID)) == before, f"the upgrade of {standby} restarted the service"
        did("switchover", "lab")
        active = standby
    did("switchover", "lab")
    did("verify", "lab", "--url", ORIGIN)
    did("drift", "lab")


def test_room_is_made_on_a_mirror_that_is_full(engine: str, pair_of_engine: Machines) -> None:
    machines, hosts = pair_of_engine, lab_site.reach()
    active = well(hosts, "the restored pair is healthy")
    file = load.start("full", rate=5)
    try:
        demo.await_answers(lambda: load.read(file), 20)
        asyncio.run(machines.sudo(active, FULL))
        lab_site.until(lambda: unanswered(file), "Squid answers no more, as the site states")
        AFTER_THAT[engine](machines)
    finally:
        load.stop(file)
    mounted = [name for name in machines.names if asyncio.run(machines.sudo(name, "findmnt /mnt/mirror || true"))]
    assert mounted, "the mirror is mounted nowhere, so that nobody can make room on it"
    for name in mounted:
        asyncio.run(machines.sudo(name, f"mv {OLD_LOG} /root/"))
    did("cleanup", "lab")
    well(hosts, "the service serves again")
    did("status", "lab")
    did("verify", "rotation", "lab")
    did("verify", "lab", "--url", ORIGIN)


def unanswered(file: Path) -> bool | None:
    """True once a while's last requests have all failed."""
    last = load.read(file)[-UNANSWERED:]
    return (len(last) == UNANSWERED and not any(each.answered for each in last)) or None


def given_up(machines: Machines) -> None:
    """Wait until Squid runs nowhere, and nobody tries any more."""
    nowhere = 0

    def look() -> bool | None:
        nonlocal nowhere
        states = [asyncio.run(machines.run(name, "systemctl is-active squid")).out for name in machines.names]
        nowhere = nowhere + 1 if set(states) <= {"inactive\n", "failed\n"} else 0
        return nowhere >= QUIET or None

    lab_site.until(look, "the service has given up", limit=1800)
    did("status", "lab", code=3)


def tried_again(machines: Machines) -> None:
    """LifeKeeper starts Squid at each check, and it ends at the next record; see that it did so several times."""
    log = "grep -c 'local recovery of qsp-squid succeeded' /var/log/lifekeeper.log || true"

    def tries() -> bool | None:
        return any(int(asyncio.run(machines.sudo(name, log))) >= TRIES for name in machines.names) or None

    lab_site.until(tries, f"LifeKeeper has started Squid {TRIES} times")


AFTER_THAT = {"pacemaker": given_up, "lifekeeper": tried_again}
