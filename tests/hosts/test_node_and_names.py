"""Claiming nodes and naming them, on the container pair."""

import pytest

from providers.contract import Absent
from providers.host import names, node
from tests.support.things import OWNER, HostError, Site, site

INTERFACES = {"eth0": "192.0.2.11", "eth1": "172.16.77.11"}
NODE = node.Wanted(node="qsp-a", platform="debian-12", hostname="qsp-a", owner=OWNER, interfaces=INTERFACES)
LINES = ["192.0.2.11 qsp-a", "192.0.2.12 qsp-b"]
NAMES = names.Wanted(nodes={"qsp-a": LINES, "qsp-b": LINES})
OWNER_FILE = "/var/lib/squid-ha/lab/owner"


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    return site(pair)


def test_a_node_is_claimed_and_released(lab_site):
    assert isinstance(lab_site.observe("host.node", "node-a", NODE), Absent)
    present = lab_site.apply("host.node", "node-a", NODE)
    assert present.values == NODE
    assert present.facts["kernel"]
    assert lab_site.sh("qsp-a", f"cat {OWNER_FILE}") == f"{OWNER}\n"
    lab_site.remove("host.node", "node-a", NODE)
    assert isinstance(lab_site.observe("host.node", "node-a", NODE), Absent)
    assert lab_site.sh("qsp-a", "ls -d /var/lib/squid-ha 2>/dev/null; true") == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"platform": "debian-13"}, "the platform is debian-12, but debian-13 is declared"),
        ({"hostname": "proxy-1"}, "the host calls itself qsp-a, but proxy-1 is declared"),
        ({"interfaces": {"ens18": "192.0.2.11"}}, r"no such interface; 192\.0\.2\.11 is on eth0"),
        ({"interfaces": {"eth0": "192.0.2.99"}}, r"must bear 192\.0\.2\.99, but it bears 192\.0\.2\.11"),
    ],
)
def test_a_node_that_is_not_what_was_declared_is_refused(lab_site, change, says):
    with pytest.raises(HostError, match=says):
        lab_site.apply("host.node", "node-a", NODE.model_copy(update=change))
    assert lab_site.sh("qsp-a", "ls /var/lib/squid-ha 2>/dev/null; true") == ""


def test_an_address_that_is_taken_off_is_drift_and_not_repaired(lab_site):
    lab_site.apply("host.node", "node-a", NODE)
    lab_site.sh("qsp-a", "ip address del 172.16.77.11/24 dev eth1")
    assert lab_site.drift("host.node", "node-a", NODE) == ["interfaces.eth1"]
    with pytest.raises(HostError, match="eth1 must bear"):
        lab_site.apply("host.node", "node-a", NODE)
    lab_site.sh("qsp-a", "ip address add 172.16.77.11/24 dev eth1")
    assert lab_site.drift("host.node", "node-a", NODE) == []
    lab_site.remove("host.node", "node-a", NODE)


def test_a_node_of_another_stack_is_refused_until_takeover(lab_site, pair):
    lab_site.apply("host.node", "node-a", NODE)
    other = site(pair, owner="squid-ha/prod", name="prod")
    theirs = NODE.model_copy(update={"owner": "squid-ha/prod"})
    with pytest.raises(HostError, match=r"belongs to squid-ha/lab"):
        other.apply("host.node", "node-a", theirs)
    lab_site.remove("host.node", "node-a", NODE)


def test_a_squid_of_somebody_else_is_refused_until_takeover(lab_site, pair):
    lab_site.sh("qsp-a", "mkdir -p /etc/squid && echo 'http_port 8080' >/etc/squid/squid.conf")
    with pytest.raises(HostError, match=r"/etc/squid/squid\.conf is neither the distribution's nor made by this site"):
        lab_site.apply("host.node", "node-a", NODE)
    taking = site(pair, takeover=True)
    taking.apply("host.node", "node-a", NODE)
    assert lab_site.apply("host.node", "node-a", NODE).values == NODE
    lab_site.remove("host.node", "node-a", NODE)
    lab_site.sh("qsp-a", "rm -r /etc/squid")


@pytest.mark.parametrize(
    "original",
    ["", "127.0.0.1 localhost", "127.0.0.1\tlocalhost\n127.0.1.1 qsp-a\n", "# \\377 not utf-8\n::1 localhost\n\n"],
    ids=["empty", "no-newline", "debian", "bytes"],
)
def test_names_come_and_go_without_touching_another_byte(lab_site, original):
    lab_site.sh("qsp-a", f"cp -p /etc/hosts /root/hosts; printf '{original}' >/etc/hosts; chmod 0664 /etc/hosts")
    before = lab_site.sh("qsp-a", "sha256sum </etc/hosts; stat -c '%a %U:%G' /etc/hosts")
    assert lab_site.apply("host.names", "names", NAMES).values == NAMES
    assert lab_site.sh("qsp-a", "getent hosts qsp-b").split() == ["192.0.2.12", "qsp-b"]
    lab_site.sh("qsp-a", "sed -i 's/192.0.2.12 qsp-b/192.0.2.99 qsp-b/' /etc/hosts")
    assert lab_site.drift("host.names", "names", NAMES) == ["nodes.qsp-a"]
    lab_site.apply("host.names", "names", NAMES)
    assert lab_site.drift("host.names", "names", NAMES) == []
    lab_site.remove("host.names", "names", NAMES)
    assert lab_site.sh("qsp-a", "sha256sum </etc/hosts; stat -c '%a %U:%G' /etc/hosts") == before
    assert lab_site.journal("qsp-a", "names") == {}
    lab_site.sh("qsp-a", "mv /root/hosts /etc/hosts")


def test_names_are_updated_in_place(lab_site):
    lab_site.apply("host.names", "names", NAMES)
    lab_site.sh("qsp-b", "echo '192.0.2.50 printer' >>/etc/hosts")
    moved = names.Wanted(nodes={node: ["192.0.2.21 qsp-a", "192.0.2.22 qsp-b"] for node in NAMES.nodes})
    assert lab_site.apply("host.names", "names", moved, NAMES).values == moved
    assert lab_site.sh("qsp-b", "tail -n 1 /etc/hosts") == "192.0.2.50 printer\n"
    lab_site.remove("host.names", "names", moved)
    assert lab_site.sh("qsp-b", "grep -c squid-ha /etc/hosts; true") == "0\n"
