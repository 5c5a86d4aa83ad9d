"""Hooks on the container pair, by the real pulumi-command: where they run, when again, in which order, what is kept."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import on_containers
from tests.support.stack import Run, Stack
from tests.support.things import Site, site

TOKEN = "token-of-a-hook-71f4"
LOOPBACK, ADDRESS = "localhost", "127.0.0.1"
"""The name for the declaration, which takes no loopback address for a node's, and what to listen on."""


class HookStack(Stack):
    """A stack that finds its plugins where the tests' user keeps them."""

    @property
    def environment(self) -> dict[str, str]:
        home = os.environ.get("PULUMI_HOME")
        return {**super().environment, **({"PULUMI_HOME": home} if home else {})}


@pytest.fixture(scope="module")
def doors(pair) -> Iterator[dict[str, int]]:
    """A port on the loopback for each host: pulumi-command starts no program that carries a connection."""
    ports, running = {}, []
    for name in pair.names:
        with socket.socket() as taken:
            taken.bind((ADDRESS, 0))
            ports[name] = taken.getsockname()[1]
        listen = f"TCP-LISTEN:{ports[name]},bind={ADDRESS},fork,reuseaddr"
        running.append(subprocess.Popen(["socat", listen, f"UNIX-CONNECT:{pair.directory}/{name}.ssh"]))
    for port in ports.values():
        wait_for(port)
    yield ports
    for process in running:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((ADDRESS, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on port {port}"
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="module")
def known_hosts(pair, doors, tmp_path_factory) -> Path:
    """The lab's host keys, under the names of the doors."""
    keys = {}
    for line in pair.known_hosts.read_text().splitlines():
        names, key = line.split(maxsplit=1)
        keys |= {name: key for name in names.split(",") if name in doors}
    path = tmp_path_factory.mktemp("ssh") / "known_hosts"
    path.write_text("".join(f"[{LOOPBACK}]:{port} {keys[name]}\n" for name, port in doors.items()))
    return path


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    """Another way to the nodes than the program's."""
    return site(pair)


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("told") / "local"


@pytest.fixture(scope="module")
def stack(pair, doors, known_hosts, told, tmp_path_factory) -> Stack:
    declared = on_containers(pair.directory)
    del declared["ssh"]["proxy_command"]
    declared["ssh"]["known_hosts"] = str(known_hosts)
    for node in declared["nodes"]:
        node |= {"ssh_host": LOOPBACK, "ssh_port": doors[node["name"]]}
    environment = {"GREETING": "it's $(id) `me`", "TOKEN": {"secret": "hook-token"}}
    declared["hooks"] = [
        {
            "name": "tell", "when": "after-deploy", "where": "local", "triggers": ["v1"], "environment": environment,
            "command": f'echo "$GREETING $TOKEN" >> {told}',
        },
        {
            "name": "active", "when": "after-deploy", "where": "active", "sudo": True, "triggers": ["v1"],
            "command": "id -un >> /var/tmp/active; systemctl is-active squid >> /var/tmp/active",
        },
        {
            "name": "leave", "when": "before-destroy", "where": "qsp-b", "environment": environment,
            "command": 'systemctl is-active pacemaker > /var/tmp/leave; echo "$GREETING $TOKEN" >> /var/tmp/leave',
        },
    ]  # fmt: skip
    return HookStack("test-hooks", tmp_path_factory.mktemp("stack"), declared, secrets={"hook-token": TOKEN})


@pytest.fixture(scope="module")
def deployed(stack) -> Run:
    return stack.up()


def active(hosts: Site, names: tuple[str, ...]) -> list[str]:
    """What the hook for the active node left, by node."""
    return [hosts.sh(name, "cat /var/tmp/active 2>/dev/null || true") for name in names]


def test_a_local_hook_ran_with_its_variables(deployed, told):
    assert told.read_text() == f"it's $(id) `me` {TOKEN}\n"


def test_the_active_node_ran_it_and_only_that_one(deployed, stack, hosts, pair):
    holders = [bool(hosts.sh(name, "ip -o address show to 192.0.2.10")) for name in pair.names]
    assert sorted(holders) == [False, True]
    assert active(hosts, pair.names) == ["root\nactive\n" if holds else "" for holds in holders]


def test_a_preview_afterwards_is_unchanged(deployed, stack):
    stack.preview("--expect-no-changes")
    assert stack.drift().code == 0


def test_the_secret_is_nowhere_in_clear(deployed, stack, hosts, pair):
    raw = "".join(path.read_text(errors="replace") for path in (stack.directory / "state").rglob("*") if path.is_file())
    private = pair.identity.read_text().splitlines()[1]
    for where, text in (("output of up", deployed.output), ("state", raw)):
        assert TOKEN not in text, f"the secret stands in the {where}"
        assert private not in text, f"the private key stands in the {where}"
    for name in pair.names:
        assert TOKEN not in hosts.sh(name, "journalctl --no-pager"), f"the secret stands in the journal of {name}"


def test_a_changed_trigger_runs_only_its_hook_again(deployed, stack, told, hosts, pair):
    stack.site["hooks"][0]["triggers"] = ["v2"]
    before = active(hosts, pair.names)
    run = stack.up()
    assert len(told.read_text().splitlines()) == 2, run.output
    assert active(hosts, pair.names) == before


def test_a_command_that_fails_fails_the_deployment_without_showing_the_secret(deployed, stack):
    hook = {
        "name": "fails", "when": "after-deploy", "where": "qsp-a", "environment": {"TOKEN": {"secret": "hook-token"}},
        "command": 'echo "this is wrong: $TOKEN" >&2; exit 3',
    }  # fmt: skip
    stack.site["hooks"].append(hook)
    run = stack.up(check=False)
    assert run.code != 0
    assert "exited with status 3" in run.output, run.output
    assert TOKEN not in run.output
    stack.site["hooks"].remove(hook)
    stack.up()


def test_a_command_that_hangs_is_ended(deployed, stack):
    for where in ("qsp-a", "local"):
        hook = {"name": "hangs", "when": "after-deploy", "where": where, "command": "sleep 600", "timeout": "2s"}
        stack.site["hooks"].append(hook)
        began = time.monotonic()
        run = stack.up(check=False)
        assert run.code != 0, where
        assert time.monotonic() - began < 120, run.output
        stack.site["hooks"].remove(hook)
        stack.up()


def test_a_changed_host_key_is_refused_by_the_plugin_too(deployed, stack, hosts, known_hosts, pair):
    """Only the hook connects here: nothing else has a difference."""
    right = known_hosts.read_text()
    one, other = right.splitlines()
    swapped = [f"{a.split()[0]} {' '.join(b.split()[1:])}" for a, b in ((one, other), (other, one))]
    known_hosts.write_text("\n".join(swapped) + "\n")
    before = active(hosts, pair.names)
    try:
        run = stack.up(check=False)
    finally:
        known_hosts.write_text(right)
    assert run.code != 0
    assert "host key mismatch" in run.output, run.output
    assert active(hosts, pair.names) == before
    stack.up()


def test_the_last_hook_runs_before_anything_is_taken_away(deployed, stack, hosts):
    stack.destroy()
    assert hosts.sh("qsp-b", "cat /var/tmp/leave") == f"active\nit's $(id) `me` {TOKEN}\n"
