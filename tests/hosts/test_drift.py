"""`squid-ha drift` and `squid-ha status` as they are run, on a deployed pair: what was done to it is named, no more."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lxml import etree

from lab import control
from tests.hosts.conftest import wait_for_ssh
from tests.support.sites import on_containers
from tests.support.stack import PROJECT, Stack
from tests.support.things import Site, difference, site

NAME = "test-drift"
pytestmark = [pytest.mark.spare, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(hosts, pair, tmp_path_factory) -> Iterator[Stack]:
    made = Stack(NAME, tmp_path_factory.mktemp("stack"), on_containers(pair.directory))
    made.up()
    yield made
    made.file.unlink()


def squid_ha(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a person or a pipeline runs it."""
    return subprocess.run(
        [PROJECT / ".venv/bin/squid-ha", *arguments], cwd=PROJECT, env={**os.environ, **stack.environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def drift(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the site's report."""
    done = squid_ha(stack, "drift", NAME, "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["sites"][0]


def findings(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(each["thing"], each["node"], each["origin"]) for case in report["cases"] for each in case["findings"]}


def properties(report: dict[str, Any]) -> list[str]:
    return [each["property"] for case in report["cases"] for each in case["findings"]]


def test_a_deployed_site_is_clean_and_who_is_active_is_no_drift(stack, hosts):
    before = {name: lasting(hosts, name) for name in hosts.cluster.nodes}
    code, report = drift(stack)
    assert (code, report["outcome"], findings(report)) == (0, "clean", set())
    assert {case["node"] for case in report["cases"]} == {"qsp-a", "qsp-b", ""}
    for name, there in before.items():
        assert difference(there, lasting(hosts, name)) == [], f"looking changed something on {name}"


def lasting(hosts: Site, node: str) -> list[str]:
    """What stands on a node. Which services happen to run is left out: systemd starts some for a moment by itself."""
    return [line for line in hosts.manifest(node) if not line.startswith("service ")]


def test_what_the_engines_tools_leave_is_a_notice(stack, hosts):
    hosts.sh("qsp-a", "crm_resource --ban --resource squid --node qsp-b")
    try:
        code, report = drift(stack)
    finally:
        hosts.sh("qsp-a", "crm_resource --clear --resource squid")
    assert (code, findings(report)) == (0, set())
    assert any("qsp-b" in text for text in report["notices"]), report["notices"]


def test_each_change_by_hand_is_named_and_nothing_else(stack, hosts, tmp_path):
    hosts.sh("qsp-b", "cp -p /etc/squid/squid.conf /root/was; echo '# by hand' >>/etc/squid/squid.conf")
    hosts.sh("qsp-a", "systemctl stop chrony")
    junit, metrics = tmp_path / "drift.xml", tmp_path / "drift.prom"
    try:
        code, report = drift(stack, "--junit", str(junit), "--prometheus", str(metrics))
        shown = squid_ha(stack, "drift", NAME)
    finally:
        hosts.sh("qsp-b", "mv /root/was /etc/squid/squid.conf")
        hosts.sh("qsp-a", "systemctl start chrony")
    assert code == 3
    assert findings(report) == {("squid-config", "qsp-b", "host"), ("time", "qsp-a", "host")}
    assert 'nodes.qsp-b.files["/etc/squid/squid.conf"].content' in properties(report)
    assert 'nodes.qsp-a.settings.units["chrony.service"].active' in properties(report)
    failed = {case.get("name") for case in etree.parse(junit).iterfind(".//testcase[failure]")}
    assert failed == {"squid-config on qsp-b", "time on qsp-a"}
    assert f'squid_ha_drift_outcome{{stack="{NAME}",outcome="drift"}} 1' in metrics.read_text()
    assert shown.returncode == 3
    assert r"# by hand\n" in shown.stdout


def test_status_shows_tree_and_clocks_and_writes_a_page(stack, hosts, tmp_path):
    for name in ("qsp-a", "qsp-b"):
        # A test before this one has stopped a clock's service; started again, it has to choose a source first.
        hosts.sh(name, "chronyc waitsync 120 0 0 0.5 >/dev/null")
    page = tmp_path / "page.html"
    shown = squid_ha(stack, "status", NAME, "--html", str(page))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "runs on qsp-" in shown.stdout.splitlines()[0]
    assert shown.stdout.count("192.0.2.1 (chrony)") == 2
    assert "in service" in page.read_text()
    assert "no differences" in page.read_text()
    done = squid_ha(stack, "status", NAME, "--json")
    (told,) = json.loads(done.stdout)["sites"]
    assert (told["health"], [member["name"] for member in told["members"]]) == ("good", ["address", "squid"])


def test_what_was_edited_and_not_deployed_is_told_apart_from_what_was_changed(stack, hosts):
    hosts.sh("qsp-b", "sed -i.was /qsp-a/d /etc/hosts")
    with edited(stack) as site_as_edited:
        site_as_edited["squid"]["port"] = 3129
        stack.site = site_as_edited
        stack.pulumi("config", check=True)
        code, report = drift(stack)
    hosts.sh("qsp-b", "mv /etc/hosts.was /etc/hosts")
    assert code == 3
    of = {(thing, origin) for thing, _, origin in findings(report)}
    assert ("names", "host") in of
    assert ("squid-config", "edited") in of
    assert {origin for thing, origin in of if thing != "names"} == {"edited"}
    code, report = drift(stack)
    assert (code, findings(report)) == (0, set())


@contextmanager
def edited(stack: Stack) -> Generator[dict[str, Any]]:
    """A copy of the declaration to change; the old one is back afterwards."""
    was = stack.site
    try:
        yield copy.deepcopy(was)
    finally:
        stack.site = was
        stack.pulumi("config", check=True)


def test_a_node_that_is_off_is_unreachable_and_hides_neither_the_other_one_nor_other_sites(stack, hosts):
    hosts.sh("qsp-a", "cp -p /etc/squid/squid.conf /root/was; echo '# by hand' >>/etc/squid/squid.conf")
    control.call("kill", host="qsp-b")
    try:
        code, report = drift(stack)
    finally:
        control.call("start", host="qsp-b")
        wait_for_ssh(("qsp-b",))
        hosts.sh("qsp-a", "mv /root/was /etc/squid/squid.conf")
    assert (code, report["outcome"]) == (4, "unreachable")
    outcomes = {(case["thing"], case["node"]): case["outcome"] for case in report["cases"]}
    assert outcomes["node-2", "qsp-b"] == "unreachable"
    assert outcomes["squid-config", "qsp-a"] == "drift"
    assert outcomes["packages", "qsp-a"] == "clean"
    assert not [key for key, outcome in outcomes.items() if key[1] == "qsp-b" and outcome != "unreachable"]


def test_a_declaration_that_is_wrong_is_an_error_and_hides_no_other(stack):
    other = stack.file.with_name("Pulumi.test-drift-wrong.yaml")
    other.write_text("config:\n  squid-ha:site: {phase: 7}\n")
    try:
        done = squid_ha(stack, "drift", NAME, "test-drift-wrong", "--json")
    finally:
        other.unlink()
    assert done.returncode == 1
    sites = {each["stack"]: each for each in json.loads(done.stdout)["sites"]}
    assert sites["test-drift-wrong"]["outcome"] == "error"
    assert "Pulumi.test-drift-wrong.yaml" in sites["test-drift-wrong"]["message"]
    assert len(sites[NAME]["cases"]) > 10
