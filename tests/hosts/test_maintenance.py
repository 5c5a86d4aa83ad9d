"""A package whose script restarts the whole cluster, installed into one that runs: nothing moves, nothing stops."""

import pytest

from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from providers.host import packages
from providers.pacemaker.pause import MARK
from tests.support.restarter import offered
from tests.support.sites import on_containers
from tests.support.stack import DRIFT, Stack
from tests.support.things import Site, site

pytestmark = pytest.mark.spare

RESTART = """
crm_attribute --type crm_config --name maintenance-mode --query --quiet >/run/mode-seen 2>/dev/null || true
systemctl restart corosync.service pacemaker.service
"""
ACTIVE = "crm_resource --resource address --locate 2>&1 | sed -n 's/.*running on: *//p'"
PID = "systemctl show -P MainPID squid"
MODE = "crm_attribute --type crm_config --name maintenance-mode --query --quiet 2>/dev/null || true"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair, owner="squid-ha/test-maintenance", name="test-maintenance")


@pytest.fixture(scope="module")
def deployed(hosts, pair, tmp_path_factory) -> Stack:
    stack = Stack("test-maintenance", tmp_path_factory.mktemp("stack"), on_containers(pair.directory))
    stack.up()
    return stack


def test_a_mode_that_a_reverted_run_has_left_on_is_drift_and_refreshing_leaves_it(deployed, hosts):
    """With the edit taken back Pulumi sees no change, and none of the declared properties differs either."""
    hosts.sh("qsp-a", "crm_attribute --type crm_config --name maintenance-mode --update true")
    run_sync(hosts.cluster.of("packages").journal("qsp-a").record({MARK: ""}))
    found = deployed.drift()
    assert found.code == DRIFT, found.output
    assert "unfinished" in found.output
    run_sync(close_all())  # what another test applied, this process did, which keeps the lock until then
    deployed.up("--refresh")
    assert hosts.sh("qsp-a", MODE) == ""
    assert MARK not in hosts.journal("qsp-a", "packages")
    assert deployed.drift().code == 0


def test_an_upgrades_restart_does_not_fail_over(deployed, hosts, pair):
    active = hosts.sh("qsp-a", ACTIVE).strip()
    pid = hosts.sh(active, PID)
    for name in pair.names:
        hosts.sh(name, offered(RESTART))
    wanted = packages.Wanted(nodes={name: {"restarter": "installed"} for name in pair.names})
    hosts.apply("host.packages", "extra", wanted)
    for name in pair.names:
        assert hosts.sh(name, "cat /run/mode-seen").strip() == "true", "the script ran outside of maintenance mode"
    assert hosts.sh("qsp-a", MODE) == "", "maintenance mode was not left"
    assert hosts.sh("qsp-a", ACTIVE).strip() == active
    assert hosts.sh(active, PID) == pid, "Squid was restarted"
    assert deployed.drift().code == 0
    hosts.remove("host.packages", "extra", wanted)


def test_a_run_that_was_cut_off_inside_is_put_right_by_the_next(deployed, hosts, pair):
    wanted = packages.Wanted(nodes={name: {"logrotate": "installed"} for name in pair.names})
    hosts.sh("qsp-a", "crm_attribute --type crm_config --name maintenance-mode --update true")
    run_sync(hosts.cluster.of("cut").journal("qsp-a").record({MARK: ""}))
    hosts.apply("host.packages", "cut", wanted)
    assert hosts.sh("qsp-a", MODE) == ""
    assert hosts.journal("qsp-a", "cut") == {}
    assert deployed.drift().code == 0
