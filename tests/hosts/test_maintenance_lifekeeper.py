"""A package whose script stops Squid for a while, installed where LifeKeeper's stand-in protects it: nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab import lifekeeper
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from providers.host import packages
from providers.lifekeeper.defaults import PATH
from providers.lifekeeper.pause import MARK
from tests.support.conformance import Deployed, until, up
from tests.support.restarter import offered
from tests.support.sites import on_lifekeeper
from tests.support.stack import DRIFT, Stack
from tests.support.things import site

NAME = "test-maintenance-lifekeeper"
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

# Over several checks; masked, Squid cannot be repaired by them either, so that each of them would move it.
RESTART = f"""
grep ^LKCHECKINTERVAL= {PATH} >/run/interval-seen || true
systemctl is-active --quiet squid.service || exit 0
systemctl mask --quiet --runtime --now squid.service
sleep 10
systemctl unmask --quiet --runtime squid.service
systemctl start squid.service
"""
INTERVAL = f"grep ^LKCHECKINTERVAL= {PATH}"
FAILED = "grep -c 'quickCheck of .* failed' /var/log/lifekeeper.log || true"
RUNS = "/opt/LifeKeeper/bin/lktest >/dev/null && echo yes || echo no"
PAUSE = f"sed -i 's/^LKCHECKINTERVAL=.*/LKCHECKINTERVAL=0/' {PATH}"


@pytest.fixture(scope="module")
def deployed(pair, tmp_path_factory) -> Iterator[Deployed]:
    for node in pair.names:
        asyncio.run(lifekeeper.provide(node))
    stack = Stack(NAME, tmp_path_factory.mktemp("stack"), on_lifekeeper(pair.directory))
    yield from up(site(pair, owner=f"squid-ha/{NAME}", name=NAME), stack)


def wanted(pair, package: str) -> packages.Wanted:
    return packages.Wanted(nodes={name: {package: "installed"} for name in pair.names})


def intervals(deployed: Deployed, pair) -> set[str]:
    return {deployed.hosts.sh(name, INTERVAL).strip() for name in pair.names}


def test_checks_that_a_reverted_run_has_left_paused_are_drift_and_refreshing_lets_them_go_on(deployed, pair):
    """With the edit taken back Pulumi sees no change of the packages."""
    hosts = deployed.hosts
    hosts.sh("qsp-a", PAUSE)
    run_sync(hosts.cluster.of("packages").journal("qsp-a").record({MARK: "2"}))
    found = deployed.stack.drift()
    assert found.code == DRIFT, found.output
    assert "unfinished" in found.output
    deployed.stack.up("--refresh")
    assert intervals(deployed, pair) == {"LKCHECKINTERVAL=2"}
    assert MARK not in hosts.journal("qsp-a", "packages")
    assert deployed.stack.drift().code == 0


def test_a_script_that_stops_squid_does_not_fail_over(deployed, pair):
    hosts, active = deployed.hosts, deployed.active()
    failed = hosts.sh(active, FAILED)
    for name in pair.names:
        hosts.sh(name, offered(RESTART))
    hosts.apply("host.packages", "extra", wanted(pair, "restarter"))
    for name in pair.names:
        assert hosts.sh(name, "cat /run/interval-seen").strip() == "LKCHECKINTERVAL=0", "its script ran under checks"
    assert deployed.active() == active
    assert hosts.sh(active, FAILED) == failed, "Squid was found failed"
    assert intervals(deployed, pair) == {"LKCHECKINTERVAL=2"}
    assert hosts.journal(active, "extra").keys() == {packages.MADE}
    assert deployed.stack.drift().code == 0
    hosts.remove("host.packages", "extra", wanted(pair, "restarter"))


def test_after_the_change_a_failure_is_repaired_again(deployed):
    active = deployed.active()
    deployed.hosts.sh(active, "systemctl stop squid || :")
    until(lambda: deployed.standing()[active] == (True, True), "a stopped Squid is started again")


def test_a_run_that_was_cut_off_inside_is_put_right_by_the_next(deployed, pair):
    hosts = deployed.hosts
    hosts.sh("qsp-a", PAUSE)
    run_sync(hosts.cluster.of("cut").journal("qsp-a").record({MARK: "2"}))
    hosts.apply("host.packages", "cut", wanted(pair, "logrotate"))
    assert intervals(deployed, pair) == {"LKCHECKINTERVAL=2"}
    assert hosts.journal("qsp-a", "cut") == {}
    assert deployed.stack.drift().code == 0


def test_maintenance_that_somebody_has_entered_is_not_ended(deployed, pair):
    hosts, active = deployed.hosts, deployed.active()
    run_sync(close_all())
    deployed.told("maintenance", "on", NAME)
    # By connections of its own: those that were closed are not closed again.
    hosts = site(pair, owner=hosts.cluster.owner, name=hosts.cluster.site)
    hosts.apply("host.packages", "extra", wanted(pair, "restarter"))
    assert [hosts.sh(name, RUNS).strip() for name in pair.names] == ["no", "no"]
    assert {hosts.sh(name, "cat /run/interval-seen").strip() for name in pair.names} == {"LKCHECKINTERVAL=2"}
    hosts.remove("host.packages", "extra", wanted(pair, "restarter"))
    run_sync(close_all())
    deployed.told("maintenance", "off", NAME)
    until(lambda: deployed.standing()[active] == (True, True), "the service is where it was")
    assert deployed.active() == active
    assert deployed.stack.drift().code == 0
