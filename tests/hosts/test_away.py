"""A node that is gone and declared away: `up` goes on without it, and its return brings it up to date."""

import pytest

from lab import control
from tests.hosts.conftest import wait_for_ssh
from tests.support.sites import on_containers
from tests.support.stack import Stack
from tests.support.things import Site, site

pytestmark = pytest.mark.spare

HOST_NAME = "renamed.while.away"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    return Stack("test-away", tmp_path_factory.mktemp("stack"), on_containers(pair.directory))


@pytest.fixture(scope="module")
def without_one(stack):
    """The site changed while qsp-b is off and declared so."""
    stack.up()
    control.call("kill", host="qsp-b")
    stack.site["nodes"][1]["away"] = True
    stack.site["squid"]["visible_hostname"] = HOST_NAME
    return stack.up()


def test_up_goes_on_without_a_node_that_is_away(without_one, stack, hosts):
    assert "error" not in without_one.output
    assert "node-2" in stack.resources(), "the node's resource was deleted: its return would be a new node"
    assert HOST_NAME in hosts.sh("qsp-a", "cat /etc/squid/squid.conf")


def test_what_is_there_is_still_looked_after(without_one, stack, hosts):
    assert stack.drift().code == 0
    hosts.sh("qsp-a", "echo '# by hand' >> /etc/squid/squid.conf")
    drift = stack.drift()
    assert drift.code != 0
    assert "/etc/squid/squid.conf" in drift.output
    stack.up("--refresh")
    assert stack.drift().code == 0


def test_its_return_brings_it_up_to_date(without_one, stack, pair):
    control.call("start", host="qsp-b")
    wait_for_ssh(("qsp-b",))
    stack.site["nodes"][1]["away"] = False
    stack.up()
    again = site(pair, name="lab")
    assert HOST_NAME in again.sh("qsp-b", "cat /etc/squid/squid.conf")
    assert stack.drift().code == 0
