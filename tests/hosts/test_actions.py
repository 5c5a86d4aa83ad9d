"""What operators do to a running pair, on containers with the real Corosync and Pacemaker, by the real command.

What is the same with every engine is in `tests.support.conformance`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass

import pytest

from tests.support.sites import on_containers
from tests.support.stack import PROJECT, Stack
from tests.support.things import Site, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ACTIVE = "crm_resource --resource address --locate 2>&1 | sed -n 's/.*running on: *//p'"


@dataclass
class Pair:
    hosts: Site
    stack: Stack

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`squid-ha`, as an operator runs it."""
        command = [str(PROJECT / ".venv/bin/squid-ha"), *words]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)

    def active(self) -> str:
        return self.hosts.sh("qsp-a", ACTIVE).strip()


@pytest.fixture(scope="module")
def pair_of_nodes(pair, tmp_path_factory) -> Pair:
    hosts = site(pair, owner="squid-ha/test-actions", name="test-actions")
    stack = Stack("test-actions", tmp_path_factory.mktemp("stack"), on_containers(pair.directory))
    stack.up()
    return Pair(hosts, stack)


def other(name: str) -> str:
    return {"qsp-a": "qsp-b", "qsp-b": "qsp-a"}[name]


def test_cleanup_forgets_a_failure_that_keeps_the_service_away(pair_of_nodes: Pair) -> None:
    active = pair_of_nodes.active()
    standby = other(active)
    fail = "crm_resource --fail --resource squid --node {0}; crm_resource --wait --timeout=60"
    pair_of_nodes.hosts.sh(active, fail.format(active), ok=None)
    pair_of_nodes.hosts.sh(active, f"crm_resource --ban --resource address --node {standby}")
    for _ in range(2):
        done = pair_of_nodes.run("cleanup", "test-actions", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["notices"] == []
    assert "cli-" not in pair_of_nodes.hosts.sh(active, "cibadmin --query --scope constraints")


def test_a_local_log_is_followed_and_nothing_is_left_on_the_node(pair_of_nodes: Pair) -> None:
    active = pair_of_nodes.active()
    log = "/var/log/squid/access.log"
    pair_of_nodes.hosts.sh(active, f"echo first >>{log}")
    command = [str(PROJECT / ".venv/bin/squid-ha"), "logs", "test-actions", "--local", active, "-f", "-n", "1"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    pair_of_nodes.hosts.sh(active, f"echo second >>{log}")
    assert process.stdout.readline() == "second\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    left = "pgrep -af 'access[.]log' | grep -v -e pgrep -e squid || true"
    assert pair_of_nodes.hosts.sh(active, left).strip() == ""
