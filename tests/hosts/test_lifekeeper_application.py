"""Squid as a Generic Application of LifeKeeper, by this program's own agent, with a real Squid, on containers.

What Quick Service Protection does not see is here: a Squid that runs and answers nobody. The tests build on each other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab import lifekeeper
from providers.connection.loop import run_sync
from providers.lifekeeper import runtime
from tests.support.conformance import until
from tests.support.sites import on_lifekeeper
from tests.support.stack import Stack
from tests.support.things import Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NAME = "test-application"
A, B = "qsp-a", "qsp-b"
BIN = "/opt/LifeKeeper/bin"
KIT = "/opt/LifeKeeper/subsys/gen/resources/app"
OURS = f"/etc/squid-ha/lifekeeper /usr/lib/squid-ha {KIT}/*/*/app-squid"
_GET = r"exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET / HTTP/1.0\r\n\r\n' >&3; head -1 <&3"
ASK = f'timeout 3 bash -c "{_GET}" || true'


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    asyncio.run(both(pair))
    return site(pair, owner=f"squid-ha/{NAME}", name=NAME)


async def both(pair) -> None:
    await asyncio.gather(*(lifekeeper.provide(node) for node in pair.names))


@pytest.fixture(scope="module")
def stack(pair, hosts, tmp_path_factory) -> Iterator[Stack]:
    declared = on_lifekeeper(pair.directory)
    declared["lifekeeper"] |= {"squid_kit": "generic", "prefer": "lkcli", "check_interval": "3s"}
    declared["timeouts"] = {"squid": {"stop": "25s"}}
    declared["squid"] |= {"shutdown_lifetime": "1s"}
    made = Stack(NAME, tmp_path_factory.mktemp("stack"), declared)
    yield made
    made.file.unlink()


def main_process(hosts: Site, node: str) -> str:
    return hosts.sh(node, "systemctl show --property MainPID --value squid").strip()


def active(hosts: Site) -> str:
    return run_sync(runtime.active_node(hosts.cluster)) or ""


def test_the_site_is_built_and_the_next_preview_is_empty(hosts, stack):
    stack.up(timeout=900)
    stack.preview("--expect-no-changes")
    here = active(hosts)
    told = hosts.sh(here, f"{BIN}/ins_list -f: | cut -d: -f2-4,7").split()
    assert "gen:app:app-squid:ISP" in told
    assert hosts.sh(B if here == A else A, "systemctl is-active squid || true").strip() == "inactive"
    assert hosts.sh(here, ASK).startswith("HTTP/")


def test_a_squid_that_hangs_is_noticed_and_started_anew(hosts, stack):
    here = active(hosts)
    before = main_process(hosts, here)
    hosts.sh(here, "systemctl kill --kill-whom=all --signal=SIGSTOP squid")
    assert hosts.sh(here, "systemctl is-active squid").strip() == "active", "systemd knows nothing of it"
    assert hosts.sh(here, ASK) == ""
    until(lambda: hosts.sh(active(hosts) or here, ASK).startswith("HTTP/"), "Squid answers again")
    assert main_process(hosts, here) != before


def test_the_service_moves_and_the_records_of_its_checks_stand_in_no_log(hosts, stack):
    here = active(hosts)
    there = B if here == A else A
    run_sync(runtime.switchover(hosts.cluster, there))
    assert active(hosts) == there
    assert hosts.sh(there, ASK).startswith("HTTP/")
    for node in (A, B):
        assert "probe.squid-ha" not in hosts.sh(node, "cat /var/log/squid/access.log 2>/dev/null || true")
    assert stack.drift().code == 0


def test_a_script_that_was_changed_by_hand_is_drift_and_repaired(hosts, stack):
    copy = f"{KIT}/actions/!quickCheck/app-squid"
    hosts.sh(B, f"printf '#!/bin/sh\\nexit 0\\n' > '{copy}'")
    drifted = stack.drift()
    assert drifted.code != 0
    assert "copies" in drifted.output
    stack.up("--refresh")
    assert "probe_url" in hosts.sh(B, f"cat '{copy}'")


def test_the_other_kit_is_refused_at_the_preview_and_the_service_runs_on(hosts, stack):
    kept = stack.site["timeouts"]
    stack.site["lifekeeper"]["squid_kit"] = "qsp"
    del stack.site["timeouts"]
    run = stack.preview(check=False)
    assert run.code != 0
    assert "`lifekeeper.squid_kit` of" in run.output
    stack.site["lifekeeper"]["squid_kit"], stack.site["timeouts"] = "generic", kept
    stack.preview("--expect-no-changes")
    assert hosts.sh(active(hosts), ASK).startswith("HTTP/")


def test_destroy_leaves_nothing_of_it(hosts, stack):
    stack.destroy()
    for node in (A, B):
        assert "app-squid" not in hosts.sh(node, f"{BIN}/ins_list -f: || true")
        left = hosts.sh(node, f"ls -d {OURS} 2>/dev/null || true").split()
        assert left == []
