"""What a site of LifeKeeper is made of."""

from dataclasses import replace
from typing import Any

import pytest

from blueprint import names
from blueprint.firewall import openings
from blueprint.outputs import outputs
from blueprint.parts import PARTS
from blueprint.site import things
from blueprint.traits import TRAITS
from declaration.firewall import Firewall
from declaration.load import read
from providers import wire
from providers.host import node
from providers.kinds import KINDS, load_kind
from providers.lifekeeper import grammar
from tests.unit.lifekeeper.sites import settings, site

OWNER = "squid-ha/lab"
SCRIPT = "#!/bin/sh\nexit 0\n"
GENERIC = [{"tag": "app", "restore": SCRIPT, "remove": SCRIPT}]


def made(phase=3, **lifekeeper) -> dict[str, Any]:
    return {thing.name: thing for thing in things(site(phase, **lifekeeper), OWNER)}


def test_nothing_of_the_other_engine_is_among_the_things():
    for phase in (2, 3):
        assert not [thing.name for thing in made(phase).values() if thing.kind.startswith(("pacemaker.", "storage."))]
        assert names.SQUID_AGENT not in made(phase)


def test_the_service_is_made_from_the_bottom_up():
    listed = list(made(generic=GENERIC))
    wanted = ["lifekeeper", "paths", "tree-mirror", "tree-filesystem", "generic-app", "tree-squid", "tree-address"]
    assert [name for name in listed if name in wanted] == wanted
    assert listed.index("tree-filesystem") < listed.index("squid-config") < listed.index("tree-squid")


def test_every_thing_comes_after_what_it_needs_and_survives_the_wire():
    seen: set[str] = set()
    for thing in made(generic=GENERIC, heartbeat={}, license={"file": "/root/l"}).values():
        assert set(thing.after) <= seen
        assert thing.kind in KINDS
        assert thing.part in PARTS
        assert wire.decode(load_kind(thing.kind).Wanted, wire.encode(thing.inputs)) == thing.inputs
        seen.add(thing.name)


def test_the_tree_is_tied_from_the_virtual_ip_down_to_the_filesystem():
    tied = {name: made()[name].inputs.nodes["proxy-a"].depends_on for name in ("tree-address", "tree-squid")}
    assert tied == {"tree-address": ["qsp-squid"], "tree-squid": ["/mnt/mirror"]}
    assert made(2)["tree-squid"].inputs.nodes["proxy-a"].depends_on == []
    assert made(generic=GENERIC)["tree-squid"].inputs.nodes["proxy-b"].depends_on == ["/mnt/mirror", "app"]


def test_the_preferred_node_comes_first():
    nodes = made(priorities=[10, 1])["tree-squid"].inputs.nodes
    assert [(name, each.priority) for name, each in nodes.items()] == [("proxy-b", "1"), ("proxy-a", "10")]


def test_paths_go_over_both_networks_the_mirrors_first():
    sides = made()["paths"].inputs.nodes["proxy-a"].sides
    assert {addresses: side.priority for addresses, side in sides.items()} == {
        "172.16.77.11/172.16.77.12": "1",
        "192.0.2.11/192.0.2.12": "2",
    }


def test_a_node_that_is_away_is_not_looked_at():
    raw = settings()
    raw["nodes"][1]["away"] = True
    away: dict[str, Any] = {thing.name: thing for thing in things(read(raw, "test"), OWNER)}
    assert list(away["tree-address"].inputs.nodes) == ["proxy-a"]
    assert {side.alive for side in away["paths"].inputs.nodes["proxy-a"].sides.values()} == {"away"}


def test_settings_are_named_only_where_they_are_declared():
    assert made()["lifekeeper"].inputs.nodes["proxy-a"].settings == {}
    declared = made(
        address={
            "broadcast_ping": False, "link_check": True, "ping_tries": 5, "ping_time": "2s", "check_timeout": "1m",
        },
        heartbeat={"interval": "2s"}, check_interval="60s", quorum={"hosts": [{"host": "w", "port": 22}]},
        failover_confirmation={"unanswered": "block", "wait": "0s"},
        replication={"speed_limit": 400_000, "speed_limit_min": 30_000},
    )  # fmt: skip
    assert declared["lifekeeper"].inputs.nodes["proxy-b"].settings == {
        "CONFIRMSODEF": "1",
        "CONFIRMSOTO": "0",
        "IP_NOLINKCHECK": "0",
        "IP_PINGTIME": "2",
        "IP_PINGTRIES": "5",
        "IP_QUICKCHECK_TIMEOUT": "60",
        "LCMHBEATTIME": "2",
        "LCMNUMHBEATS": "3",
        "LKCHECKINTERVAL": "60",
        "LKDR_SPEED_LIMIT": "400000",
        "LKDR_SPEED_LIMIT_MIN": "30000",
        "NOBCASTPING": "1",
        "QUORUM_HOSTS": "w:22",
        "QUORUM_LOSS_ACTION": "fastkill",
        "QUORUM_MODE": "tcp_remote",
        "QUORUM_TIMEOUT_SECS": "20",
        "WITNESS_MODE": "none",
    }


def test_the_product_is_asked_about_every_line_that_nobody_has_seen():
    assumed = made()["lifekeeper"].inputs.assumed
    assert set(assumed) == {f"lkcli resource {verb} {kind}" for verb in ("create", "extend") for kind in ("qsp", "ip")}
    assert assumed["lkcli resource create qsp"] == ["service", "switchback", "tag"]
    assert "lkcli dependency create" in made(prefer="lkcli")["lifekeeper"].inputs.assumed
    with_bitmap = made(replication={"bitmap": "/var/lib/bitmap"})["lifekeeper"].inputs.assumed
    assert "bitmap" in with_bitmap["lkcli resource extend dk"]
    assert "lkcli resource create dk" not in with_bitmap, "the kit's own script says it, as SIOS published it"


def test_a_firewall_lets_lifekeeper_through_and_no_corosync():
    declared = site()
    through = [(each.protocol, each.ports) for each in openings(declared, Firewall(), declared.nodes[0])]
    assert ("tcp", (7365,)) in through
    assert ("tcp", range(10001, 10017)) in through, "the mirror's, however many others the node has"
    assert not [ports for protocol, ports in through if protocol == "udp"]


def test_squid_is_not_ordered_by_this_engine_whose_plain_stop_would_wait_for_the_order():
    files = made()["squid-config"].inputs.nodes["proxy-a"].files
    (override,) = [file.content for path, file in files.items() if path.endswith("squid.service.d/squid-ha.conf")]
    assert "Before=" not in override
    assert "TimeoutStopSec=" in override


@pytest.mark.parametrize(("before", "after", "told"), [
    (("2", None), ("2", "lifekeeper"), True),
    (("3", "lifekeeper"), ("3", None), True),
    (("1", None), ("2", "lifekeeper"), False),
    (("2", "lifekeeper"), ("3", "lifekeeper"), False),
    (("3", None), ("3", None), False),
])  # fmt: skip
def test_the_engine_of_a_deployed_site_is_not_changed_in_place(before, after, told):
    common: dict[str, Any] = {"node": "a", "platform": "debian-12", "hostname": "a", "owner": "p/s"}
    first, second = (node.Wanted(**common, phase=phase, engine=engine) for phase, engine in (before, after))
    said = node.refusal(first, second)
    assert bool(said and "pulumi destroy" in said and "two engines" in said) is told


def test_a_node_remembers_the_engine_as_its_traits_say(monkeypatch):
    assert {made(phase)["node-1"].inputs.engine for phase in (2, 3)} == {"lifekeeper"}
    monkeypatch.setitem(TRAITS, "lifekeeper", replace(TRAITS["lifekeeper"], engine_in_node_state=None))
    assert made()["node-1"].inputs.engine is None


def test_every_setting_that_a_site_can_declare_is_in_the_grammar_with_its_certainty():
    quorum = {"hosts": [{"host": "witness.lab", "port": 22}]}
    address = {"broadcast_ping": False, "link_check": False, "ping_tries": 5, "ping_time": "2s", "check_timeout": "9s"}
    others: dict[str, Any] = {
        "failover_confirmation": {"unanswered": "proceed", "wait": "60s"},
        "replication": {"speed_limit": 400_000, "speed_limit_min": 30_000},
    }
    told = made(quorum=quorum, address=address, heartbeat={}, check_interval="60s", **others)["lifekeeper"].inputs
    keys = {key for each in told.nodes.values() for key in each.settings}
    assert {"QUORUM_MODE", "WITNESS_MODE", "NOBCASTPING", "LCMHBEATTIME", "LKCHECKINTERVAL"} <= keys
    assert {"IP_PINGTRIES", "IP_QUICKCHECK_TIMEOUT", "CONFIRMSODEF", "CONFIRMSOTO", "LKDR_SPEED_LIMIT_MIN"} <= keys
    assert {grammar.load().setting(key).certainty for key in keys} == {"documented"}


def durability(declared) -> dict[str, str]:
    told = outputs(declared)["durability"]
    assert isinstance(told, dict)
    return told


def test_an_asynchronous_mirror_has_no_bound_for_an_unplanned_failover():
    crash = "crash of the active node"
    assert "at most the last 35 s" in durability(site())[crash]
    told = durability(site(replication={"mode": "asynchronous"}))
    assert told[crash].startswith(
        "no bound for an unplanned failover: with `lifekeeper.replication.mode: asynchronous`"
    )
    assert "no line" not in told["switchover"]


def test_the_mode_of_a_mirror_that_is_not_lifekeepers_says_nothing():
    raw = settings(replication={"mode": "asynchronous"})
    raw["engine"] = "pacemaker"
    assert "at most the last 35 s" in durability(read(raw, "test"))["crash of the active node"]


def test_of_records_that_are_dropped_the_outputs_name_only_the_alert():
    raw = settings()
    raw["log"]["on_full"] = "drop"
    raw["alerts"] = {"webhook": {"url": "https://chat.example.org/hooks/squid"}}
    told = durability(read(raw, "test"))["full mirror"]
    assert "which only the alert `mirror_full` announces" in told
    assert "probe" not in told
