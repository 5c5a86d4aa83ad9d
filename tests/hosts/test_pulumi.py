"""The whole program on the container pair, phase 2: real `pulumi up`, drift, repair, lost state, destroy."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lab import control
from providers.connection.loop import run_sync
from providers.connection.ownership import claim
from tests.hosts.conftest import wait_for_ssh
from tests.support.sites import on_containers
from tests.support.stack import DRIFT, Run, Stack
from tests.support.things import Site, difference, site

MARKER = "marker-of-a-secret-8d1c"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    """Another way to the nodes than the program's, after their sudo was made to ask for a password."""
    script = f"echo 'ops:{MARKER}' | chpasswd; sed -i 's/NOPASSWD://' /etc/sudoers.d/*"
    for name in pair.names:
        asyncio.run(pair.sudo(name, script))
    return site(pair, sudo_password=MARKER)


@pytest.fixture(scope="module")
def stack(hosts, pair, tmp_path_factory) -> Stack:
    """The site with a login whose sudo password is the secret that must appear nowhere."""
    declared = on_containers(pair.directory)
    declared["ssh"]["sudo_password"] = {"secret": "sudo"}
    return Stack("test-pulumi", tmp_path_factory.mktemp("stack"), declared, secrets={"sudo": MARKER})


@pytest.fixture(scope="module")
def deployed(stack, untouched) -> Run:
    return stack.up()


def test_up_makes_the_site(deployed, stack):
    assert "tree-address" in stack.resources()
    assert deployed.code == 0


def test_a_preview_afterwards_is_unchanged(deployed, stack):
    run = stack.preview("--expect-no-changes")
    assert "unchanged" in run.output


def test_the_gate_for_drift_is_clean(deployed, stack):
    run = stack.drift()
    assert run.code == 0, run.output


def test_the_secret_is_in_no_state_no_output_and_no_process_list(deployed, stack, hosts, pair):
    preview = stack.preview("--refresh")
    raw = "".join(path.read_text(errors="replace") for path in (stack.directory / "state").rglob("*") if path.is_file())
    for where, text in (("output of up", deployed.output), ("output of preview", preview.output), ("state", raw)):
        assert MARKER not in text, f"the secret stands in the {where}"
    for name in pair.names:
        seen = hosts.sh(
            name, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; journalctl --no-pager; grep -rs . /var/log || true"
        )
        assert MARKER not in seen.replace(f"ops:{MARKER}", ""), f"{name} shows the secret in its processes or logs"


CHANGES = {
    "squid.conf edited on one node": (
        "qsp-b", "echo '# by hand' >> /etc/squid/squid.conf", "squid-config", "/etc/squid/squid.conf",
    ),
    "chrony disabled": ("qsp-a", "systemctl disable chrony", "time", "enabled"),
    "a constraint deleted": ("qsp-a", "cibadmin --delete --xml-text '<rsc_order id=\"address-after-squid\"/>'",
                             "tree-address", "address-after-squid"),
    "the agent removed": ("qsp-b", "rm /usr/lib/ocf/resource.d/squid-ha/squid", "squid-agent", "squid-ha/squid"),
    "a name removed": ("qsp-b", "sed -i /qsp-a/d /etc/hosts", "names", "qsp-b"),
    "a property of the cluster changed": ("qsp-a", "crm_attribute --name stonith-enabled --update true",
                                          "options", "stonith-enabled"),
}  # fmt: skip


@pytest.mark.turns("drift of a site")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_hand_is_drift_and_only_that_is_repaired(deployed, stack, hosts, change):
    node, script, thing, named = CHANGES[change]
    hosts.sh(node, script)
    found = stack.drift()
    assert found.code == DRIFT, found.output
    assert named in found.output, f"the property `{named}` is not named:\n{found.output}"
    changed = [line for line in found.output.splitlines() if line.strip().startswith("~ pulumi-python")]
    assert len(changed) == 1, found.output
    assert f"::{thing}]" in found.output or thing in found.output
    repaired = stack.up("--refresh")
    assert "~ 1 updated" in repaired.output, repaired.counts()
    assert stack.drift().code == 0


def test_with_the_state_lost_up_changes_nothing_on_the_nodes(deployed, stack, hosts, pair):
    before = {name: hosts.manifest(name) for name in pair.names}
    stack.forget()
    for name, value in stack.secrets.items():
        stack.pulumi("config", "set", "--secret", name, stdin=value, check=True)
    stack.up()
    for name in pair.names:
        assert hosts.manifest(name) == before[name], f"`up` without a state changed {name}"
    assert stack.drift().code == 0


def test_with_a_node_switched_off_nothing_is_reported_as_gone(deployed, stack):
    control.call("kill", host="qsp-b")
    try:
        run = stack.drift()
    finally:
        control.call("start", host="qsp-b")
        wait_for_ssh(("qsp-b",))
    assert run.code not in (0, DRIFT), run.output
    assert "qsp-b" in run.output
    assert "- pulumi-python" not in run.output, f"something counts as deleted:\n{run.output}"


class Way:
    """A way to the nodes that the last `up` did not know, and a note of who went it."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.used, self.script = directory / "used", directory / "way"
        self.script.write_text(f"#!/bin/sh\necho $1 >> {self.used}\nexec socat - UNIX-CONNECT:{sockets}/$1.ssh\n")
        self.script.chmod(0o755)

    def taken_to(self) -> set[str]:
        return set(self.used.read_text().split()) if self.used.exists() else set()


@pytest.fixture(scope="module")
def other_way(deployed, stack, pair, tmp_path_factory) -> Way:
    way = Way(tmp_path_factory.mktemp("way"), pair.directory)
    stack.site["ssh"]["proxy_command"] = f"{way.script} %n"
    return way


def test_a_changed_way_to_the_nodes_counts_for_refresh(stack, other_way):
    stack.pulumi("refresh", "--yes", check=True)
    assert other_way.taken_to() == {"qsp-a", "qsp-b"}, "refresh went the way of the last `up`"
    other_way.used.unlink()


@pytest.fixture
def taken_over(deployed, hosts):
    """Another stack has taken qsp-b over; afterwards it is given back."""
    node = hosts.cluster.node("qsp-b")
    mine = replace(hosts.cluster, site="test-pulumi", owner="squid-ha/test-pulumi", takeover=True)
    run_sync(claim(replace(mine, site="berlin", owner="squid-ha/berlin"), node))
    yield
    run_sync(claim(mine, node))


def test_where_another_stack_has_taken_a_node_over_destroy_takes_nothing_back(stack, taken_over, hosts, pair):
    before, made = {name: hosts.manifest(name) for name in pair.names}, stack.resources().keys()
    run = stack.destroy(check=False)
    assert run.code != 0, run.output
    assert stack.resources().keys() == made
    assert "qsp-b: this node belongs to squid-ha/berlin (site berlin)" in run.output, run.output
    assert "pulumi stack rm --force" in run.output, run.output
    for name in pair.names:
        # A node was switched off and on before: the cluster still writes its own history of that.
        changed = [line for line in difference(before[name], hosts.manifest(name)) if "var/lib/pacemaker" not in line]
        assert changed == [], f"the destroy that was refused changed {name}: {changed}"


def test_destroy_goes_the_changed_way_and_leaves_the_nodes_as_they_were(stack, other_way, hosts, pair, untouched):
    boots = {name: booted(hosts.manifest(name)) for name in pair.names}
    stack.destroy()
    assert other_way.taken_to() == {"qsp-a", "qsp-b"}, "destroy went the way of the last `up`"
    for name in pair.names:
        after = hosts.manifest(name)
        assert booted(after) == boots[name], f"destroy rebooted {name}"
        # A node was switched off and on again since `untouched` was taken.
        left = difference(*([line for line in each if line not in booted(each)] for each in (untouched[name], after)))
        assert left == [], f"left behind on {name}: {left}"


def booted(manifest: list[str]) -> list[str]:
    """Which boot a manifest is of."""
    return [line for line in manifest if line.startswith("boot ")]
