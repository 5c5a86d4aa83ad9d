"""What the blueprint renders, read back: the declaration says the same."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blueprint import paths
from blueprint.adopted import settings_of
from blueprint.site import things
from declaration.load import read
from declaration.site import Site
from operations.adopt import access
from operations.adopt.describe import describe
from operations.adopt.directives import Reader
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Result, command
from providers.pacemaker.cib import Cib
from tests.support.phases import example

OWNER = "squid-ha/lab"
SQUID_CONF = "/etc/squid/squid.conf"
EMPTY = '<cib have-quorum="1"><configuration><crm_config/><nodes/><resources/><constraints/></configuration></cib>'


def cib_of(site: Site) -> str:
    """A cluster's configuration with everything that the site's things want in it."""
    cib = Cib.parse(EMPTY)
    for thing in things(site, OWNER):
        wanted: Any = thing.inputs
        if thing.kind == "pacemaker.member":
            cib = cib.with_member(wanted.primitive, wanted.clone).with_constraints(wanted.constraints)
        if thing.kind == "pacemaker.options":
            cib = cib.with_options("crm_config", "cib-bootstrap-options", wanted.properties)
            cib = cib.with_options("rsc_defaults", "squid-ha-resource-defaults", wanted.resource_defaults)
    return cib.text()


def facts_of(site: Site, name: str) -> NodeFacts:
    """A node on which the site was deployed."""
    node = site.node(name)
    files = _files(site, name)
    addresses = {site.network.public.interface: {str(node.address): 24}}
    if site.network.replication and node.replication_address:
        addresses[site.network.replication.interface] = {str(node.replication_address): 24}
    outputs: dict[str, str] = {}
    if site.virtual_ip:
        sbd = site.pacemaker.fencing.sbd if site.pacemaker else None
        outputs["cib"] = cib_of(site)
        outputs["resources"] = "/etc/drbd.d/squid-ha.res" if site.mirror else ""
        outputs["volume"] = f"{site.mirror.label}\n{site.mirror.filesystem}\n" if site.mirror else ""
        if sbd:
            watchdog, message = round(sbd.watchdog_timeout.seconds), round(sbd.message_timeout.seconds)
            outputs["sbd"] = f"Timeout (watchdog) : {watchdog}\nTimeout (msgwait)  : {message}\n"
    active = {"squid.service"} | ({"corosync.service", "pacemaker.service"} if site.virtual_ip else set())
    service = site.time.service if site.time else ""
    active |= {"chrony.service"} if service == "chrony" else {"ntpsec.service"} if service == "ntpsec" else set()
    return NodeFacts(
        name=name,
        platform=site.platform,
        hostname=name,
        addresses=addresses,
        files=files,
        answers={name: Result(command("true"), 0, said, "") for name, said in outputs.items()},
        active=frozenset(active),
        connect_to=str(node.address),
    )


def _files(site: Site, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for thing in things(site, OWNER):
        node = settings_of(thing.inputs).get(name)
        found |= {path: file.content or "" for path, file in node.files.items()} if node else {}
    return found


def back(site: Site, ssh: dict[str, Any]) -> tuple[Site, Draft]:
    """The site as its own nodes describe it."""
    draft = describe([facts_of(site, node.name) for node in site.nodes], ssh)
    return read(draft.site, "read back"), draft


def rendered(site: Site) -> list[str]:
    """Everything that the site would make, comparable."""
    return [json.dumps([thing.name, thing.inputs.model_dump(mode="json")], indent=1) for thing in things(site, OWNER)]


def check(raw: dict[str, Any]) -> Draft:
    site = read(copy.deepcopy(raw), "the test")
    again, draft = back(site, raw["ssh"])
    for wanted, found in zip(rendered(site), rendered(again), strict=True):
        assert wanted == found
    return draft


def phase(number: int, **parts: Any) -> dict[str, Any]:
    """An example's declaration with parts changed; sections are merged."""
    raw = example(number)  # pyright: ignore[reportArgumentType]
    for name, value in parts.items():
        raw[name] = {**raw.get(name, {}), **value} if isinstance(value, dict) else value
    return raw


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_examples_are_read_back_whole(number: int) -> None:
    assert check(phase(number)).notes == []


RULES = [
    {"action": "deny", "domains": [".ads.example"], "times": ["mon-fri 08:00-17:00", "sat"]},
    {"action": "allow", "networks": ["192.0.2.0/24"], "methods": ["GET", "CONNECT"], "ports": ["80", "1000-2000"]},
    {"action": "deny"},
]
AUTH = {
    "ldap": {"uri": "ldaps://ldap.example.org", "base": "ou=people,dc=example", "filter": "(&(uid=%s)(x=a b))"},
    "kerberos": {"keytab": "/etc/squid/proxy.keytab"},
    "realm": "Proxy of  two blanks",
    "ttl": "1h",
    "helpers": 7,
}
PARENTS = {
    "proxies": [
        {"host": "a.example.org", "port": 8080, "tls": True, "weight": 3},
        {"host": "192.0.2.99", "login": "pass", "domains": [".example.org", "b.example"]},
    ],
    "choose": "in_turn",
    "direct": "as_last_resort",
}
VARIED: dict[str, tuple[int, dict[str, Any]]] = {
    "ports": (1, {"squid": {"port": 8080, "more_ports": [3129], "visible_hostname": "proxy.example.org"}}),
    "listening": (2, {"squid": {"listen": "virtual_ip", "outgoing": "virtual_ip"}}),
    "outgoing": (2, {"squid": {"outgoing": "node", "shutdown_lifetime": "3s"}}),
    "allow": (1, {"squid": {"allow": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]}}),
    "open ports": (1, {"squid": {"connect_ports": ["443", "8443"], "safe_ports": ["80", "443", "1025-65535"]}}),
    "headers": (1, {"squid": {"forwarded_for": "remove", "via": False}}),
    "dns": (1, {"squid": {"dns": {"servers": ["192.0.2.1"], "timeout": "5s", "append_domain": ".example.org"}}}),
    "limits": (1, {"squid": {"timeouts": {"connect": "30s", "read": "5m", "client_lifetime": "1d"}}}),
    "cache": (1, {"squid": {"cache": {"memory": "1G", "disk": {"size": "10G", "max_object": "100M"}}}}),
    "cache on the mirror": (3, {"squid": {"cache": {"disk": {"size": "1G", "where": "mirror"}}}}),
    "parents": (1, {"squid": {"parents": PARENTS}}),
    "login": (1, {"squid": {"auth": AUTH}}),
    "includes": (1, {"squid": {"include": ["/etc/squid/conf.d/*.conf"]}}),
    "probe": (2, {"squid": {"probe_url": "http://192.0.2.1/"}}),
    "logs": (
        3,
        {
            "log": {
                "format": "combined",
                "cache": "mirror",
                "mirror_mode": "0644",
                "mirror_file": "all.log",
                "unless": {"networks": ["192.0.2.7/32"], "methods": ["GET"]},
                "additional": [
                    {"file": "denied.log", "place": "local", "only": {"status": ["403", "500-599"]}},
                    {"file": "more.log", "place": "both", "format": "%ts  %>a %ru", "unless": {"ports": [443]}},
                ],
            }
        },
    ),
    "dropping": (3, {"log": {"on_full": "drop", "on_lost": "fail", "only": {"domains": [".example.org"]}}}),
    "mirror only": (3, {"log": {"access": "mirror"}}),
    "local only": (
        3,
        {"log": {"access": "local", "additional": [{"file": "x.log", "place": "mirror", "format": "common"}]}},
    ),
    "mirror": (
        3,
        {
            "mirror": {
                "filesystem": "ext4",
                "port": 7790,
                "label": "other",
                "durability": "1s",
                "failure": {"on_error": "pass_on", "peer_timeout": "60s", "disk_timeout": "30s"},
            }
        },
    ),
    "sync": (3, {"mirror": {"durability": "sync", "data_journal": True, "device": "/dev/disk/by-path/pci-0000:00:1"}}),
    "rotation": (3, {"rotation": {"schedule": "weekly", "keep": 3, "compress": False, "date_suffix": False}}),
    "rotation by size": (3, {"rotation": {"size": "100M", "date_suffix": "-%Y%m%d-%H%M%S"}}),
    "time": (1, {"time": {"service": "ntpsec", "pools": ["pool.example.org"], "minimum_sources": 2}}),
    "limits of the tree": (
        3,
        {
            "timeouts": {"squid": {"stop": "90s", "monitor_interval": "20s"}, "mirror": {"monitor_interval": "40s"}},
            "stickiness": 0,
        },
    ),
    "engine": (2, {"pacemaker": {"token": "6s", "priority_fencing_delay": "15s", "stonith_timeout": "90s"}}),
    "unwatched": (2, {"network": {"public": {"interface": "eth0", "subnet": "192.0.2.0/24"}}}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", VARIED)
def test_each_setting_is_read_back(name: str) -> None:
    number, parts = VARIED[name]
    if "time" in parts:
        parts["time"].setdefault("servers", [])
    raw = phase(number, **copy.deepcopy(parts))
    if "size" in raw.get("rotation", {}):
        del raw["rotation"]["schedule"]
    assert check(raw).notes == []


def test_a_disk_that_has_another_path_on_a_node_is_read_back() -> None:
    raw = phase(3)
    raw["nodes"][1]["mirror_device"] = "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"
    assert check(raw).notes == []


BY_HAND = """
resource squid-ha {
    net { protocol C; }
    disk { on-io-error detach; }
    on qsp-a {
        device /dev/drbd0;
        disk /dev/sdb1;
        address ipv4 172.16.77.11:7789;
        meta-disk internal;
    }
    on qsp-b { volume 0 { device /dev/drbd0; disk "/dev/disk/by-path/pci-0:1"; meta-disk internal; }
        address ipv4 172.16.77.12:7789;
    }
}
"""


def test_disks_and_addresses_of_a_resource_file_written_by_hand_are_each_nodes_own() -> None:
    site = read(phase(3), "the test")
    nodes = [facts_of(site, node.name) for node in site.nodes]
    nodes = [replace(each, files={**each.files, paths.MIRROR_CONFIGURATION: BY_HAND}) for each in nodes]
    found = describe(nodes, {"user": "root"}).site
    assert found["mirror"]["device"] == "/dev/sdb1"
    assert [node.get("mirror_device") for node in found["nodes"]] == [None, "/dev/disk/by-path/pci-0:1"]
    assert [node["replication_address"] for node in found["nodes"]] == ["172.16.77.11", "172.16.77.12"]


def test_a_node_that_servers_see_by_another_address_than_its_own_is_listed() -> None:
    site = read(phase(2, squid={"outgoing": "node"}), "the test")
    first, second = [facts_of(site, node.name) for node in site.nodes]
    assert describe([first, second], {"user": "root"}).notes == []
    text = second.files[SQUID_CONF].replace("tcp_outgoing_address 192.0.2.12", "tcp_outgoing_address 203.0.113.9")
    other = replace(second, files={**second.files, SQUID_CONF: text})
    (note,) = describe([first, other], {"user": "root"}).notes
    assert (note.node, note.place) == (second.name, SQUID_CONF)


def test_rules_of_access_are_read_back() -> None:
    raw = phase(1)
    del raw["squid"]["allow"]
    raw["squid"]["access"] = RULES
    assert check(raw).notes == []


def test_users_are_read_back_and_tunnels_that_reach_nothing_are_left_out() -> None:
    raw = phase(1)
    del raw["squid"]["allow"]
    raw["squid"]["auth"] = AUTH
    raw["squid"]["access"] = [
        {"action": "deny", "users": ["Mallory", "a.b+c@EXAMPLE.ORG"]},
        {"action": "allow", "networks": ["192.0.2.0/24"], "authenticated": True},
        {"action": "deny"},
    ]
    assert check(raw).notes == []
    reader = Reader(
        "acl Safe port 80 443\nacl Tunnels port 443 22\nacl office src 192.0.2.0/24\nhttp_access deny !Safe\n"
        "http_access deny CONNECT !Tunnels\nhttp_access allow office\nhttp_access deny all\n",
        "squid.conf",
    )
    found, lost = access.read(reader)
    assert found["connect_ports"] == [443]
    assert ["22" in reason for _, reason in lost] == [True]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(set(VARIED) - {"mirror only", "local only"})), min_size=2, max_size=4, unique=True)
)
def test_settings_are_read_back_together(names: list[str]) -> None:
    raw = phase(3)
    for name in names:
        for part, value in copy.deepcopy(VARIED[name][1]).items():
            raw[part] = {**raw.get(part, {}), **value} if isinstance(value, dict) else value
    if raw["rotation"].get("size"):
        raw["rotation"].pop("schedule", None)
    if raw["mirror"].get("durability") == "1s":
        raw["mirror"].pop("data_journal", None)
    check(raw)
