"""The doctor on a pair of containers: nothing stands in the way, then one thing after the other does."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import pytest

from declaration.load import read
from operations.doctor import Finding, Report, examine
from providers.connection.loop import run_sync
from tests.support.phases import on_containers
from tests.support.things import Site, site


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def look(pair, hosts):
    """Runs the doctor for the reference site, phase 2."""
    declared = read(on_containers(2, pair.directory), "the test")
    return lambda: run_sync(examine(hosts.cluster, declared, "lab"))


@contextmanager
def changed(hosts: Site, node: str, do: str, undo: str) -> Generator[None]:
    hosts.sh(node, do)
    try:
        yield
    finally:
        hosts.sh(node, undo)


def files(hosts: Site, node: str) -> str:
    return hosts.sh(node, r"find /etc /usr /opt /root /srv -xdev -type f -printf '%p %s %T@\n' | sort")


def problems(report: Report) -> list[Finding]:
    return [each for each in report.findings if each.level == "problem"]


def test_an_untouched_pair_is_ready_and_stays_untouched(look, hosts, pair):
    before = {name: files(hosts, name) for name in pair.names}
    report = look()
    assert problems(report) == []
    assert sorted(each.where for each in report.findings if each.check == "ports") == sorted(
        ["qsp-a → qsp-b", "qsp-b → qsp-a"] * 2
    ), [each for each in report.findings if each.check == "ports"]
    for name in pair.names:
        assert files(hosts, name) == before[name]
        assert ":5405" not in hosts.sh(name, "ss -Hnaltu"), "a listener was left behind"


TAKEN = (
    "systemd-run --unit=taken perl -MIO::Socket::IP -e "
    '\'$$h = IO::Socket::IP->new(Proto => "udp", LocalHost => "192.0.2.11", LocalPort => 5405) or die; sleep 60\';'
    "timeout 20 sh -c 'until ss -Hnlu | grep -q :5405; do sleep 0.1; done'"
)
ELSEWHERE = "mkdir /run/apt; mv /etc/apt/sources.list.d /run/apt; mkdir /etc/apt/sources.list.d; "
RED: dict[str, tuple[str, str, str, str]] = {
    "another stack's": (
        "mkdir -p /var/lib/squid-ha/x; echo squid-ha/x > /var/lib/squid-ha/x/owner",
        "rm -r /var/lib/squid-ha", "owner", "squid-ha/x",
    ),
    "no source": (
        (f"{ELSEWHERE} echo 'deb [trusted=yes] http://192.0.2.1:9/ x/' > /etc/apt/sources.list.d/x.list; "
        "cp -a /etc/apt/sources.list /run/apt 2>/dev/null; : > /etc/apt/sources.list"),
        "rm -r /etc/apt/sources.list.d /etc/apt/sources.list; mv /run/apt/* /etc/apt; rmdir /run/apt",
        "packages", "do not answer",
    ),
    "virtual IP taken": (
        "ip address add 192.0.2.10/32 dev eth0", "ip address del 192.0.2.10/32 dev eth0", "virtual-ip", "192.0.2.10"
    ),
    "port taken": (TAKEN, "systemctl stop taken", "ports", "taken by perl"),
}  # fmt: skip


def test_what_stands_in_the_way_is_named(look, hosts):
    with ExitStack() as stack:
        for do, undo, _, _ in RED.values():
            stack.enter_context(changed(hosts, "qsp-a", do, undo))
        found = problems(look())
    for name, (_, _, check, said) in RED.items():
        named = [each for each in found if each.check == check and said in each.sentence and "qsp-a" in each.where]
        assert named, f"{name}: {found}"
    assert all(each.remedy for each in found)


def test_a_firewall_between_the_nodes_and_a_squid_by_hand_are_named(look, hosts):
    hosts.sh("qsp-a", "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install nftables >/dev/null")
    shut = "nft add table inet shut; nft 'add chain inet shut in { type filter hook input priority 0; }';"
    by_hand = "mkdir -p /etc/squid; echo http_port 3128 > /etc/squid/squid.conf"
    with (
        changed(hosts, "qsp-a", f"{shut} nft add rule inet shut in udp dport 5405 drop", "nft delete table inet shut"),
        changed(hosts, "qsp-b", by_hand, "rm -r /etc/squid"),
    ):
        found = problems(look())
    assert [(each.check, each.where) for each in found] == [("owner", "qsp-b"), ("ports", "qsp-b → qsp-a")], found
    assert "squid.conf is neither the distribution's nor made by this site" in found[0].sentence
    assert "udp port 5405 of 192.0.2.11 does not get through" in found[1].sentence
