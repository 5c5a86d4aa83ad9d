"""From one node to a pair on containers, by editing the file: real Pulumi, Pacemaker and Squid, under client load.

The third phase needs machines of its own: tests/cluster/test_phases.py.
"""

from __future__ import annotations

import copy
import json
import shlex
import subprocess
from dataclasses import dataclass

import pytest

from lab.addresses import ORIGIN, VIRTUAL_IP
from tests.support.clients import Clients, Cost, table
from tests.support.phases import on_containers
from tests.support.stack import PROJECT, Run, Stack
from tests.support.things import Site, site

NODE = "192.0.2.11:3128"
PAIR = f"{VIRTUAL_IP}:3128"
ASK = r"""
exec 3<>"/dev/tcp/$0/$1"
printf 'GET http://probe.squid-ha.invalid/ HTTP/1.1\r\nHost: probe.squid-ha.invalid\r\nConnection: close\r\n\r\n' >&3
head -1 <&3
"""
STARTED = "systemctl show -P MainPID -P ExecMainStartTimestampMonotonic squid"

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    return Stack("test-phases", tmp_path_factory.mktemp("stack"), on_containers(1, pair.directory))


@pytest.fixture(scope="module")
def alone(stack) -> Run:
    """Phase 1."""
    return stack.up()


@dataclass(frozen=True)
class Joined:
    """What the step from one node to a pair took from where."""

    process: str
    """Squid's on the first node, as it was before."""
    costs: list[Cost]


@pytest.fixture(scope="module")
def joined(alone, stack, hosts, pair) -> Joined:
    """Phase 2, reached under load."""
    before = process(hosts)
    with Clients("join", NODE) as clients:
        stack.site = on_containers(2, pair.directory)
        with clients.step("phase 1 to 2"):
            stack.up()
    return Joined(before, clients.costs)


def process(hosts: Site, node: str = "qsp-a") -> str:
    """Which process of Squid runs, and since when."""
    return hosts.sh(node, STARTED)


def unit(hosts: Site, node: str) -> tuple[str, str]:
    """Whether Squid is enabled at boot, and whether it runs."""
    enabled, active = hosts.sh(node, "systemctl is-enabled squid; systemctl is-active squid", ok=None).split()
    return enabled, active


def where(hosts: Site, resource: str) -> str:
    """What the cluster says of a resource."""
    return hosts.sh("qsp-a", f"crm_resource --locate --resource {resource} 2>&1")


def test_alone_squid_is_the_boots(alone, hosts):
    assert unit(hosts, "qsp-a") == ("enabled", "active")
    assert "pacemaker" not in hosts.sh("qsp-a", "dpkg-query --show --showformat '${Package}\\n'")


def test_clients_of_the_first_node_notice_nothing(joined, capsys):
    with capsys.disabled():
        print(f"\n{table(joined.costs)}")
    assert [cost.failed for cost in joined.costs] == [0]


def test_the_running_squid_passes_into_the_engines_hands(joined, hosts):
    assert process(hosts) == joined.process, "Squid was started anew"
    assert unit(hosts, "qsp-a") == ("disabled", "active")
    assert "qsp-a" in where(hosts, "squid")


def test_the_second_nodes_squid_does_not_run(joined, hosts):
    assert unit(hosts, "qsp-b") == ("disabled", "inactive")
    assert hosts.sh("qsp-a", "cat /etc/squid/squid.conf") == hosts.sh("qsp-b", "cat /etc/squid/squid.conf")


def test_the_virtual_ip_comes_on_top(joined, hosts):
    assert "qsp-a" in where(hosts, "address")
    with Clients("pair", PAIR) as clients:
        clients.served()


def test_nothing_is_left_to_do(joined, stack):
    assert "unchanged" in stack.preview("--expect-no-changes").output
    assert stack.drift().code == 0


def test_another_port_is_taken_over_while_squid_runs(joined, stack, hosts):
    """Clients stay on the old port, which is one more; Squid's monitor follows to the new one.

    Squid closes its ports for a moment when it reads its configuration; a start would cost 3 s, so about 25 requests.
    """
    plain = copy.deepcopy(stack.site)
    stack.site["squid"] |= {"port": 8080, "more_ports": [3128]}
    stack.site["timeouts"] = {"squid": {"monitor": "25s"}}
    with Clients("port", PAIR) as clients:
        with clients.step("port 3128 to 8080"):
            stack.up()
        assert hosts.sh("qsp-b", f"bash -c {shlex.quote(ASK)} {VIRTUAL_IP} 8080").startswith("HTTP/1.1 403")
        with clients.step("and back"):
            stack.site = plain
            stack.up()
    assert process(hosts) == joined.process, "Squid was started anew"
    assert max(cost.failed for cost in clients.costs) < 5, table(clients.costs)
    failures = hosts.sh("qsp-a", "crm_failcount --query --resource squid --quiet || true").strip()
    assert failures in {"", "0"}, "the monitor took the change for a failure"
    assert hosts.sh("qsp-a", "crm_resource --resource squid --get-parameter port").strip() == "3128"


@pytest.mark.parametrize("command", ["preview", "up"])
def test_back_to_one_node_is_refused_with_the_way_to_do_it(joined, stack, hosts, pair, command):
    pair_of_nodes, stack.site = stack.site, on_containers(1, pair.directory)
    try:
        run = stack.up(check=False) if command == "up" else stack.preview(check=False)
    finally:
        stack.site = pair_of_nodes
    assert run.code != 0
    assert "pulumi destroy" in run.output
    assert process(hosts) == joined.process
    assert "unchanged" in stack.preview("--expect-no-changes").output, "it was refused only after something had changed"
    assert stack.drift().code == 0


def starts(hosts: Site, node: str = "qsp-a") -> int:
    """How often Squid has been started there."""
    return int(hosts.sh(node, "journalctl --quiet --unit squid --output cat | grep -c '^Started ' || true"))


def test_a_cache_on_disk_starts_squid_once_and_the_engine_leaves_it_at_that(joined, stack, hosts):
    """Squid does not take such a change while it runs; the engine must not take its absence for a failure."""
    plain, before = copy.deepcopy(stack.site), starts(hosts)
    with Clients("cache", PAIR) as clients:
        with clients.step("a cache on disk"):
            stack.site["squid"]["cache"] = {"disk": {"size": "32M"}}
            stack.up()
        assert starts(hosts) == before + 1
        assert hosts.sh("qsp-a", "ls -d /var/spool/squid/0F").strip() == "/var/spool/squid/0F"
        with clients.step("and without"):
            stack.site = plain
            stack.up()
    assert starts(hosts) == before + 2
    failures = hosts.sh("qsp-a", "crm_failcount --query --resource squid --quiet || true").strip()
    assert failures in {"", "0"}, table(clients.costs)
    assert "qsp-a" in where(hosts, "address")
    assert unit(hosts, "qsp-b") == ("disabled", "inactive")
    print(f"\n{table(clients.costs)}")


@pytest.fixture(scope="module")
def returned(joined, stack, hosts, pair) -> Run:
    """The way that the refusal names; meanwhile somebody has installed a Squid on the second node, and runs it."""
    stack.destroy()
    hosts.sh("qsp-b", "DEBIAN_FRONTEND=noninteractive apt-get -q -y install squid && systemctl enable --now squid")
    stack.site = on_containers(1, pair.directory)
    return stack.up()


@pytest.mark.long
def test_the_way_back_to_one_node_is_as_the_refusal_says(returned, hosts):
    assert unit(hosts, "qsp-a") == ("enabled", "active")
    with Clients("back", NODE) as clients:
        clients.served()


@pytest.mark.long
def test_a_second_squid_that_runs_already_costs_the_first_nothing(returned, stack, hosts, pair):
    """The engine would find two, and stop both."""
    assert unit(hosts, "qsp-b") == ("enabled", "active")
    before = process(hosts)
    stack.site = on_containers(2, pair.directory)
    with Clients("again", NODE) as clients, clients.step("phase 1 to 2, a Squid on both"):
        stack.up()

    assert process(hosts) == before
    assert unit(hosts, "qsp-b") == ("disabled", "inactive")
    assert clients.costs[0].failed == 0, table(clients.costs)


@pytest.mark.long
def test_verify_moves_the_service_there_and_back_and_finds_all_well(returned, stack, hosts, pair):
    """The last step of phase 2 as the tutorial has it. After all that counts on Squid's process."""
    stack.site = on_containers(2, pair.directory)
    stack.up()
    done = subprocess.run(
        [PROJECT / ".venv/bin/squid-ha", "verify", stack.name, "--move", "--url", f"http://{ORIGIN}/", "--json"],
        cwd=PROJECT, env=stack.environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    checks = json.loads(done.stdout)["checks"]
    assert [each["where"] for each in checks if each["name"] == "switchover"] == ["qsp-a → qsp-b", "qsp-b → qsp-a"]
    assert [each["where"] for each in checks if each["name"] == "local log"] == ["qsp-a", "qsp-b", "qsp-a"]
    assert "qsp-a" in where(hosts, "squid")
    assert unit(hosts, "qsp-b") == ("disabled", "inactive")


@pytest.mark.long
def test_a_squid_that_was_found_running_runs_again_afterwards(returned, stack, hosts, pair):
    stack.site = on_containers(2, pair.directory)
    stack.up()
    stack.destroy()
    assert unit(hosts, "qsp-b") == ("enabled", "active"), "what was found was not brought back"
