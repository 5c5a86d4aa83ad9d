"""Sites built by hand, taken over: `up` writes the journal and nothing else, and the next preview is empty."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from lab import control
from tests.support.phases import on_containers
from tests.support.stack import PROJECT, Run, Stack
from tests.support.things import Site, difference, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

BY_HAND = """\
# Our proxy. Ask Maria before changing anything here!
http_port 3128
acl office src 192.0.2.0/24   # the office
acl windows_update dstdomain .windowsupdate.example
acl SSL_ports port 443
acl Safe_ports port 80 443 1025-65535
acl CONNECT method CONNECT
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
http_access allow office
http_access allow localhost
http_access deny all
access_log daemon:/var/log/squid/access.log squid
shutdown_lifetime 3 seconds
visible_hostname proxy.example.org
delay_pools 0
include /etc/squid/conf.d/*.conf
"""
CHRONY = "server 192.0.2.1 iburst minpoll 4\nmakestep 1 -1\nrtcsync\ndriftfile /var/lib/chrony/chrony.drift\n"


def files_of(hosts: Site, node: str) -> list[str]:
    """What there is to compare, without the journal and its lock."""
    return [line for line in hosts.manifest(node) if "/squid-ha" not in line]


def adopt(pair, name: str, nodes: str, stack: Stack, *more: str) -> Run:
    """The command, with the stack's own backend."""
    done = subprocess.run(
        [
            PROJECT / ".venv/bin/squid-ha", "adopt", name, "--nodes", nodes, "--json",
            "--identity", str(pair.identity), "--known-hosts", str(pair.known_hosts),
            "--proxy-command", f"socat - UNIX-CONNECT:{pair.directory}/%n.ssh", "--no-stack", *more,
        ],
        cwd=PROJECT, env=stack.environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout + ("" if done.returncode in (0, 5) else done.stderr))


def written(stack: Stack) -> None:
    """What the command wrote counts from now on."""
    stack.site = yaml.safe_load(stack.file.read_text())["config"]["squid-ha:site"]


def fresh(name: str, directory: Path) -> Stack:
    """A stack that Pulumi knows and that has no file."""
    stack = Stack(name, directory, {})
    stack.file.unlink()
    return stack


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def alone(hosts, pair, tmp_path_factory) -> Stack:
    """A Squid and a chrony that somebody has set up on one node."""
    install = (
        "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install squid chrony logrotate >/dev/null"
    )
    asyncio.run(pair.sudo("qsp-a", install, timeout=900))
    for path, text in (("/etc/squid/squid.conf", BY_HAND), ("/etc/chrony/chrony.conf", CHRONY)):
        hosts.sh("qsp-a", f"cat >{path} <<'END'\n{text}END\n")
    hosts.sh("qsp-a", "systemctl restart squid chrony; systemctl enable squid chrony; chronyc waitsync 60 0.5 0 1")
    return fresh("test-adopt", tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def adopted(alone, pair) -> Run:
    run = adopt(pair, "test-adopt", "qsp-a=ops@192.0.2.11", alone)
    assert run.code == 0, run.output
    written(alone)
    return run


def test_a_squid_by_hand_is_described(adopted, alone):
    assert alone.site["squid"] == {
        "port": 3128, "connect_ports": [443], "safe_ports": [80, 443, "1025-65535"], "allow": ["192.0.2.0/24"],
        "shutdown_lifetime": "3s", "visible_hostname": "proxy.example.org", "include": ["/etc/squid/conf.d/*.conf"],
    }  # fmt: skip
    assert alone.site["time"] == {"service": "chrony", "servers": ["192.0.2.1"]}
    assert alone.site["network"]["public"] == {"interface": "eth0", "subnet": "192.0.2.0/24"}


def test_what_has_no_words_is_listed_with_its_place(adopted):
    document = json.loads(adopted.output)
    places = {each["place"]: each["what"] for each in document["notes"]}
    assert "delay_pools" in places["/etc/squid/squid.conf line 18"]
    assert "daemon" in places["/etc/squid/squid.conf line 15"]
    assert "windows_update" in places["/etc/squid/squid.conf line 4"]
    assert document["would_change"] == []


def test_up_changes_nothing_and_the_next_preview_is_empty(adopted, alone, hosts):
    before, process = files_of(hosts, "qsp-a"), hosts.sh("qsp-a", "systemctl show -P MainPID squid chrony")
    alone.up()
    assert difference(before, files_of(hosts, "qsp-a")) == []
    assert hosts.sh("qsp-a", "systemctl show -P MainPID squid chrony") == process, "a service was started anew"
    assert "unchanged" in alone.preview("--expect-no-changes").output
    assert alone.drift().code == 0


def test_a_change_of_what_is_kept_is_drift_that_up_refuses(adopted, alone, hosts):
    hosts.sh("qsp-a", "echo '# and now?' >> /etc/squid/squid.conf")
    assert alone.drift().code != 0
    run = alone.up("--refresh", check=False)
    assert run.code != 0
    assert "adopted as it was found" in run.output
    hosts.sh("qsp-a", "sed -i '$d' /etc/squid/squid.conf")
    assert alone.up("--refresh").code == 0


def test_a_file_that_is_there_is_not_written_over(adopted, alone, pair):
    assert adopt(pair, "test-adopt", "qsp-a=ops@192.0.2.11", alone).code == 1


@pytest.mark.long
def test_what_is_taken_out_is_made_by_the_next_up_and_destroy_brings_all_back(adopted, alone, hosts):
    alone.site["adopted"]["files"] = [
        each for each in alone.site["adopted"]["files"] if "squid.conf" not in each["path"]
    ]
    alone.up()
    assert "Managed by squid-ha" in hosts.sh("qsp-a", "cat /etc/squid/squid.conf")
    alone.destroy()
    assert hosts.sh("qsp-a", "cat /etc/squid/squid.conf") == BY_HAND


@pytest.fixture(scope="module")
def couple(pair, tmp_path_factory) -> tuple[Stack, Site]:
    """A pair that another copy of this program has made, whose state and journals nobody has any more."""
    for host in [each["name"] for each in control.call("status")["hosts"] if each["kind"] == "container"]:
        control.call("remove", name=host)
    from tests.hosts.conftest import add_container, wait_for_ssh  # noqa: PLC0415

    for name in pair.names:
        add_container(name)
    wait_for_ssh(pair.names)
    stack = Stack("test-adopt-pair", tmp_path_factory.mktemp("pair"), on_containers(2, pair.directory))
    stack.up()
    stack.forget()
    stack.file.unlink()
    hosts = site(pair, name="test-adopt-pair")
    for name in pair.names:
        hosts.sh(name, "rm -rf /var/lib/squid-ha")
    return stack, hosts


@pytest.mark.long
def test_a_pair_without_state_and_journal_is_adopted_as_it_is(couple, pair):
    stack, hosts = couple
    nodes = "qsp-a=ops@192.0.2.11,qsp-b=ops@192.0.2.12"
    run = adopt(pair, "test-adopt-pair", nodes, stack)
    assert run.code == 0, run.output
    assert json.loads(run.output)["would_change"] == []
    written(stack)
    assert "adopted" not in stack.site, "our own files were taken for somebody's"
    before = {name: files_of(hosts, name) for name in pair.names}
    cib = hosts.sh("qsp-a", "cibadmin --query --scope configuration")
    stack.up()
    for name in pair.names:
        assert difference(before[name], files_of(hosts, name)) == []
    assert hosts.sh("qsp-a", "cibadmin --query --scope configuration") == cib
    assert "unchanged" in stack.preview("--expect-no-changes").output


@pytest.mark.long
def test_what_up_would_change_is_said_before_anything_is_written(couple, pair):
    stack, hosts = couple
    stack.file.unlink(missing_ok=True)
    hosts.sh("qsp-a", "rm -rf /var/lib/squid-ha; crm_attribute --name no-quorum-policy --update ignore")
    hosts.sh("qsp-b", "rm -rf /var/lib/squid-ha")
    run = adopt(pair, "test-adopt-pair", "qsp-a=ops@192.0.2.11,qsp-b=ops@192.0.2.12", stack)
    assert run.code == 5
    document = json.loads(run.output)
    assert any("no-quorum-policy" in each for each in document["would_change"]), document
    assert document["written"] is None
    assert not stack.file.exists()
