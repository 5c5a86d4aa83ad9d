"""The firewall's table as text, and which ports a site opens."""

import copy
import ipaddress
import re
import string
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint import names
from blueprint.firewall import openings, things
from blueprint.render.nftables import Opening, render
from blueprint.site import things as all_things
from declaration.load import read
from providers.host.firewall import Wanted, rules_of
from tests.unit.declaration.conftest import SITES

networks = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    )
)
LETTERS = string.ascii_letters + string.digits
interfaces = st.text(LETTERS + "_.-", max_size=14).map(lambda rest: f"e{rest}")
opened = st.builds(
    Opening,
    what=st.text(LETTERS + " ,.:/_-", max_size=40),
    protocol=st.sampled_from(["tcp", "udp"]),
    ports=st.lists(st.integers(1, 65535), min_size=1, max_size=4).map(tuple)
    | st.integers(1, 65000).map(lambda first: range(first, first + 16)),
    sources=st.lists(networks, max_size=5).map(tuple),
    interface=st.none() | interfaces,
)
RULE = re.compile(
    r'\t\t(iifname "[A-Za-z][A-Za-z0-9_.-]{0,14}" )?'
    r"(meta nfproto ipv[46] |ip6? saddr (\{ [0-9a-f.:/, ]+ \}|[0-9a-f.:/]+) )?"
    r'(tcp|udp) dport (\{ [0-9, ]+ \}|[0-9]+|[0-9]+-[0-9]+) accept comment "[A-Za-z0-9 ,.:/_-]*"'
)


def site(phase: int = 3, **changes: object):
    given_site = copy.deepcopy(SITES[phase])
    given_site["firewall"] = changes or "nftables"
    return read(given_site, "test")


def wanted(phase: int = 3, **changes: object) -> Wanted:
    (thing,) = things(site(phase, **changes))
    assert isinstance(thing.inputs, Wanted)
    return thing.inputs


@given(ssh=st.lists(st.integers(1, 65535), min_size=1, max_size=3), asked=st.lists(opened, max_size=4))
def test_nothing_that_is_opened_can_break_out_of_its_rule(ssh, asked):
    plain = render([22], [])
    lines = render(ssh, asked).splitlines()
    extra = [line for line in lines if line not in plain.splitlines()]
    assert all(RULE.fullmatch(line) for line in extra), extra


@given(opened)
def test_overlapping_networks_are_joined_because_nft_refuses_them(opening):
    for line in render([22], [opening]).splitlines():
        for found in re.findall(r"saddr \{ (.*?) \}", line):
            ranges = [ipaddress.ip_network(each) for each in found.split(", ")]
            assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b), line


def test_ssh_is_let_in_before_anything_can_refuse():
    rules = [line.strip() for line in render([22, 2222], []).splitlines()]
    ssh = rules.index('tcp dport { 22, 2222 } accept comment "SSH, from everywhere"')
    assert ssh < min(index for index, rule in enumerate(rules) if "reject" in rule or "drop" in rule)
    assert "policy accept;" in rules[rules.index("chain input {") + 1], "an emptied chain would lock everybody out"


@pytest.mark.parametrize(
    "wrong",
    [
        Opening("x", "tcp", ()),
        Opening("x", "tcp", (0,)),
        Opening("x", "tcp", range(65530, 65540)),
        Opening("x", "tcp", range(10, 10)),
        Opening('x" accept', "tcp", (1,)),
        Opening("x\n", "tcp", (1,)),
        Opening("x", "tcp", (1,), interface='eth0" accept'),
        Opening("x", "tcp", (1,), sources=("everybody",)),
    ],
)
def test_what_nft_would_read_as_something_else_is_refused(wrong):
    with pytest.raises(ValueError):  # noqa: PT011 each has its own sentence
        render([22], [wrong])


def test_a_site_that_says_nothing_has_no_firewall_and_no_nftables():
    silent = read(copy.deepcopy(SITES[3]), "test")
    unmanaged = read({**copy.deepcopy(SITES[3]), "firewall": "unmanaged"}, "test")
    assert silent.firewall is None
    assert all_things(unmanaged, "squid-ha/test") == all_things(silent, "squid-ha/test")
    assert names.FIREWALL not in {thing.name for thing in all_things(silent, "squid-ha/test")}


def test_each_node_lets_in_what_the_cluster_needs_from_the_other():
    declared = site()
    first = declared.nodes[0]
    assert declared.firewall is not None
    found = list(openings(declared, declared.firewall, first))
    other = declared.nodes[1]
    assert [(each.protocol, each.ports, each.sources) for each in found] == [
        ("tcp", (declared.squid.port,), tuple(declared.squid.allow)),
        ("udp", (5405,), (other.address,)),
        ("udp", (5406,), (other.replication_address,)),
        ("tcp", (7789,), (other.replication_address,)),
    ]


def test_a_single_node_opens_neither_links_nor_a_mirror():
    declared = site(1)
    assert declared.firewall is not None
    assert [each.ports for each in openings(declared, declared.firewall, declared.nodes[0])] == [(declared.squid.port,)]


def test_what_is_declared_is_opened_and_ssh_on_every_port_that_was_named():
    node = next(iter(wanted(ssh_ports=[2222], openings=[{"port": 161, "protocol": "udp"}]).nodes.values()))
    text = rules_of(node.settings)
    assert 'udp dport 161 accept comment "declared under openings"' in text
    assert 'tcp dport { 22, 2222 } accept comment "SSH, from everywhere"' in text
    assert node.ssh_ports == ["22", "2222"]


def test_what_crosses_the_network_comes_after_the_firewall():
    made = {thing.name: thing for thing in all_things(site(), "squid-ha/test")}
    assert names.FIREWALL in made[names.NAMES].after
    assert names.NAMES in made[names.MIRROR].after
    assert names.NAMES in made[names.MEMBERSHIP].after


def test_rules_of_access_tell_who_gets_as_far_as_squid():
    def clients(*rules: Mapping[str, object]) -> tuple[str, ...]:
        given_site = copy.deepcopy(SITES[3])
        del given_site["squid"]["allow"]
        given_site["squid"] |= {"access": [*rules, {"action": "deny"}], "more_ports": [8080]}
        if any("authenticated" in rule for rule in rules):
            given_site["squid"]["auth"] = {"kerberos": {"keytab": "/etc/squid/proxy.keytab"}}
        declared = read({**given_site, "firewall": "nftables"}, "test")
        assert declared.firewall is not None
        squid = next(openings(declared, declared.firewall, declared.nodes[0]))
        assert squid.ports == (declared.squid.port, 8080)
        return squid.sources

    here = {"action": "allow", "networks": ["10.0.0.0/8"]}
    there = {"action": "allow", "networks": ["192.168.0.0/16"], "methods": ["GET"]}
    never = {"action": "deny", "networks": ["10.1.0.0/16"]}
    assert clients(never, here, there) == ("10.0.0.0/8", "192.168.0.0/16")
    assert clients(here, {"action": "allow", "authenticated": True}) == (), "whoever logs in may come from anywhere"
