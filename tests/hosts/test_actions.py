"""What operators do to a running pair, on containers with the real Corosync and Pacemaker, by the real command.

What is the same with every engine is in `tests.support.conformance`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.conformance import Deployed, other, up
from tests.support.sites import on_containers
from tests.support.stack import PROJECT, Stack
from tests.support.things import site

pytestmark = [pytest.mark.spare, pytest.mark.timeout(900)]

NAME = "test-actions"


@pytest.fixture(scope="module")
def deployed(pair, tmp_path_factory) -> Iterator[Deployed]:
    stack = Stack(NAME, tmp_path_factory.mktemp("stack"), on_containers(pair.directory))
    yield from up(site(pair, owner=f"squid-ha/{NAME}", name=NAME), stack)


def test_cleanup_forgets_a_failure_that_keeps_the_service_away(deployed: Deployed) -> None:
    active = deployed.active()
    standby = other(active)
    fail = "crm_resource --fail --resource squid --node {0}; crm_resource --wait --timeout=60"
    deployed.hosts.sh(active, fail.format(active), ok=None)
    deployed.hosts.sh(active, f"crm_resource --ban --resource address --node {standby}")
    for _ in range(2):
        done = deployed.squid_ha("cleanup", NAME, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["notices"] == []
    assert "cli-" not in deployed.hosts.sh(active, "cibadmin --query --scope constraints")


def test_a_local_log_is_followed_and_nothing_is_left_on_the_node(deployed: Deployed) -> None:
    active = deployed.active()
    log = "/var/log/squid/access.log"
    deployed.hosts.sh(active, f"echo first >>{log}")
    command = [str(PROJECT / ".venv/bin/squid-ha"), "logs", NAME, "--local", active, "-f", "-n", "1"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    deployed.hosts.sh(active, f"echo second >>{log}")
    assert process.stdout.readline() == "second\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    left = "pgrep -af 'access[.]log' | grep -v -e pgrep -e squid || true"
    assert deployed.hosts.sh(active, left).strip() == ""
