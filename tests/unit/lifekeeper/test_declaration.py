"""What a site may say for LifeKeeper, and what is refused by name."""

from typing import Any

import pytest

from declaration.cautions import cautions_of
from declaration.load import read
from tests.unit.declaration.conftest import SITES, put, refused
from tests.unit.lifekeeper.sites import settings, site

SCRIPT = "#!/bin/sh\nexit 0\n"

# what is set, to what, what the sentence says; of the site of phase 3
WRONG = [
    ("lifekeeper.media", "sps.img", "the absolute path of a folder on the nodes"),
    ("lifekeeper.media", "/root/../sps.img", "the absolute path of a folder on the nodes"),
    ("lifekeeper.license", {}, "either `file: <path on the nodes>` or `secret"),
    ("lifekeeper.license", {"file": "/l", "secret": {"secret": "l"}}, "either `file"),
    ("lifekeeper.license", {"secret": "licence"}, "a secret's name, `secret: {secret: NAME}`"),
    ("lifekeeper.paths", [{"network": "third"}], "`public` or `replication`"),
    ("lifekeeper.paths", [{"network": "public"}] * 2, "each network once"),
    ("lifekeeper.paths", [{"network": "public", "priority": 100}], "at most 99"),
    ("lifekeeper.paths", [{"network": "public", "priority": 2}, {"network": "replication"}], "differs from that of"),
    ("virtual_ip", "2001:db8::10", "an IPv4 address with"),
    ("lifekeeper.paths", [{"network": "public"}], "a path over `replication` too"),
    ("lifekeeper.generic", [{"tag": "a/b", "restore": SCRIPT, "remove": SCRIPT}], "scripts lie under its name"),
    ("lifekeeper.priorities", [1], "at least 2"),
    ("lifekeeper.priorities", [1, 10, 20], "at most 2"),
    ("lifekeeper.priorities", [5, 5], "two that differ"),
    ("lifekeeper.priorities", [0, 10], "at least 1"),
    ("lifekeeper.switchback", "automatic", "`intelligent`, because there is a mirror"),
    ("lifekeeper.switchback", "inteligent", "perhaps `intelligent`"),
    ("lifekeeper.tags.squid", "qsp squid", "a tag of letters"),
    ("lifekeeper.tags.squid", "ip-192.0.2.10", "differs from that of"),
    ("lifekeeper.replication.mode", "sync", "`synchronous` or `asynchronous`"),
    ("lifekeeper.replication.hierarchy", "none", "`new` or `existing`"),
    ("lifekeeper.check_interval", "1500ms", "whole seconds"),
    ("lifekeeper.address.ping_tries", 0, "at least 1"),
    ("lifekeeper.address.ping_time", "500ms", "whole seconds, at least `1s`"),
    ("lifekeeper.address.check_timeout", "0s", "whole seconds, at least `1s`"),
    ("lifekeeper.failover_confirmation", {"wait": "500ms"}, "`0s` waits for nobody"),
    ("lifekeeper.failover_confirmation", {"unanswered": "wait"}, "`proceed` or `block`"),
    ("lifekeeper.replication.speed_limit", 0, "at least 1"),
    ("lifekeeper.replication", {"speed_limit": 10, "speed_limit_min": 20}, "at most `lifekeeper.replication.speed_"),
    ("lifekeeper.heartbeat", {"interval": "500ms"}, "whole seconds"),
    ("lifekeeper.heartbeat", {"misses": 1}, "at least 2"),
    ("lifekeeper.quorum", {"hosts": []}, "at least 1"),
    ("lifekeeper.quorum", {"hosts": [{"host": "a", "port": 80}], "on_loss": "panic"}, "`fastkill`"),
    ("lifekeeper.quorum", {"hosts": [{"host": "PROXY-a", "port": 22}]}, "a host outside of this site"),
    ("lifekeeper.quorum", {"hosts": [{"host": "w", "port": 22}, {"host": "W", "port": 80}]}, "each host once"),
    ("lifekeeper.prefer", "any", "`documented` or `lkcli`"),
    ("lifekeeper.generic", [{"tag": "x", "restore": "/bin/x", "remove": SCRIPT}], "the whole text of a script"),
    ("lifekeeper.generic", [{"tag": "qsp-squid", "restore": SCRIPT, "remove": SCRIPT}], "differs from that of"),
    (
        "lifekeeper.generic",
        [{"tag": "x", "restore": "#!/bin/sh\n\0", "remove": SCRIPT}],
        "without line breaks, control",
    ),
    ("lifekeeper.fencing", {}, "`pacemaker.fencing` is one"),
    ("mirror.durability", "sync", "no such setting with `engine: lifekeeper`"),
    ("mirror.data_journal", True, "no such setting with `engine: lifekeeper`"),
    ("mirror.port", 7790, "from 10001 on"),
    ("mirror.label", "other", "without a label"),
    ("mirror.on_remove", "wipe", "wipe the disk yourself"),
    ("mirror.failure", {"disk_timeout": "60s"}, "DataKeeper decides"),
    ("squid.port", 7365, "7365 is taken by LifeKeeper"),
    ("squid.more_ports", [8080, 81], "81 is taken by LifeKeeper"),
    ("squid.port", 10001, "10001 is taken by DataKeeper"),
    ("squid.port", 10016, "10016 is taken by DataKeeper"),
    ("firewall", {"openings": [{"port": 7365}]}, "LifeKeeper has this one"),
    ("firewall", {"openings": [{"port": 10001}]}, "DataKeeper has this one"),
    ("firewall", {"openings": [{"port": 10016}]}, "with `networks`, or another port: DataKeeper has this one"),
    ("firewall", {"ssh_ports": [22, 81]}, "81 is taken by LifeKeeper"),
    ("stickiness", 0, "`lifekeeper.switchback`"),
    ("timeouts.mirror", {"start": "100s"}, "its kit has its own"),
    ("timeouts.squid", {"start": "100s"}, "only `stop`"),
    (
        "timeouts.squid",
        {"stop": "5s"},
        "at least 14s, `squid.shutdown_lifetime` (1s) and 13s: a Squid that takes longer",
    ),
    ("squid.shutdown_lifetime", "55s", "at most 47s: `timeouts.squid.stop` is 60s, and a Squid that takes longer to"),
    ("log.on_lost", "fail", "looks at no log"),
]


@pytest.mark.parametrize(
    ("path", "value", "sentence"), WRONG, ids=[f"{path}={str(value)[:40]!r}" for path, value, _ in WRONG]
)
def test_wrong_settings_are_refused_where_they_are(path, value, sentence):
    raw = settings()
    put(raw, path, value)
    mistakes = refused(raw)
    section = path.split("[", 1)[0].split(".", 2)
    assert any(sentence in each.expected for each in mistakes), [each.render() for each in mistakes]
    assert all(each.path.startswith(section[0]) for each in mistakes)


def test_every_mistake_is_told_at_once():
    raw = settings(priorities=[3, 3], switchback="automatic", heartbeat={"misses": 0})
    raw["stickiness"] = 5
    assert {each.path for each in refused(raw)} == {"lifekeeper.heartbeat.misses", "stickiness"}
    raw["lifekeeper"]["heartbeat"] = {"misses": 3}
    assert {each.path for each in refused(raw)} == {"lifekeeper.priorities", "lifekeeper.switchback", "stickiness"}


def test_ports_of_the_other_engine_and_those_for_people_are_free():
    raw = settings()
    put(raw, "squid.more_ports", [5405, 3121])
    openings = [{"port": 5406, "protocol": "udp"}, {"port": 81, "networks": ["192.0.2.0/24"]}, {"port": 10257}]
    put(raw, "firewall", {"openings": openings})
    assert read(raw, "test").squid.more_ports == (5405, 3121)


def test_a_third_node_may_be_let_in_to_the_engines_ports():
    raw = settings()
    openings = [{"port": port, "networks": ["192.0.2.20/32"]} for port in (7365, 10002)]
    put(raw, "firewall", {"openings": openings})
    declared = read(raw, "test").firewall
    assert declared is not None
    assert [each.port for each in declared.openings] == [7365, 10002]


def test_a_single_node_has_no_engine_and_no_section():
    raw = settings(1)
    assert [each.path for each in refused(raw)] == ["lifekeeper"]


@pytest.mark.parametrize("engine", ["pacemaker", "lifekeeper"])
def test_both_sections_may_stand_in_one_file(engine):
    raw = settings()
    raw["engine"] = engine
    assert read(raw, "test").engine == engine


def test_only_the_engine_named_has_to_be_complete():
    raw = settings()
    del raw["pacemaker"], raw["lifekeeper"]
    assert read(raw, "test").engine == "lifekeeper"
    raw["engine"] = "pacemaker"
    assert [each.path for each in refused(raw)] == ["pacemaker"]


def test_a_site_that_drops_records_is_warned_where_no_alert_announces_it():
    def warned(raw):
        return [each.path for each in cautions_of(read(raw, "test")) if each.path == "log.on_full"]

    raw = settings()
    assert warned(raw) == []
    put(raw, "log.on_full", "drop")
    assert warned(raw) == ["log.on_full"]
    put(raw, "alerts.webhook", {"url": "https://chat.example.org/hooks/squid"})
    assert warned(raw) == []
    put(raw, "alerts.events", ["clock", "mirror_full"])
    assert warned(raw) == []
    put(raw, "alerts.events", ["clock"])
    assert warned(raw) == ["log.on_full"]
    raw["engine"] = "pacemaker"
    assert warned(raw) == []


@pytest.mark.parametrize("changes", [{"access": "local", "cache": "mirror"}, {"format": "useragent"}])
def test_dropping_records_asks_nothing_for_a_probe_that_lifekeeper_has_not(changes):
    raw = settings()
    raw["log"] = {"on_full": "drop", **changes}
    assert read(raw, "test").log.on_full == "drop"
    raw["engine"] = "pacemaker"
    assert "the probe" in " ".join(each.expected for each in refused(raw))


def test_where_nothing_looks_for_records_the_setting_is_refused_for_that_alone():
    """Not for want of `on_full: drop`, with which it would be refused as well."""
    raw = settings()
    put(raw, "log.on_lost", "fail")
    assert ["looks at no log" in each.expected for each in refused(raw)] == [True]


def test_settings_of_the_other_engine_are_not_refused_with_pacemaker():
    raw = settings()
    raw |= {"engine": "pacemaker", "stickiness": 5}
    put(raw, "mirror.durability", "sync")
    assert read(raw, "test").stickiness == 5


def test_a_pair_without_a_mirror_may_switch_back():
    declared = site(2, switchback="automatic").lifekeeper
    assert declared is not None
    assert declared.switchback == "automatic"


def quorum(number: int) -> dict[str, Any]:
    return {"hosts": [{"host": f"witness-{place}.example.org", "port": 22} for place in range(number)]}


def test_a_pair_without_quorum_is_warned_of_a_split_brain():
    (told,) = [each for each in cautions_of(site()) if "split brain" in each.advice]
    assert (told.path, told.found) == ("lifekeeper.quorum", "nothing")
    assert "its own is `majority`" in told.advice
    assert "`storage`" in told.advice, "a third host would be none against a cut between the nodes"
    assert not [each for each in cautions_of(read(SITES[3], "test")) if "lifekeeper" in each.path]


def test_a_declared_quorum_is_said_to_guard_only_with_its_package_and_not_against_a_cut_between_the_nodes():
    (told,) = [each for each in cautions_of(site(quorum=quorum(2))) if each.path == "lifekeeper.quorum"]
    assert told.found == "witness-0.example.org:22, witness-1.example.org:22"
    assert "`steeleye-lkQWK`" in told.advice
    assert "only the paths between the nodes" in told.advice


@pytest.mark.parametrize(("number", "found"), [(1, []), (2, ["2 hosts"]), (3, []), (4, ["4 hosts"])])
def test_an_even_number_of_quorum_hosts_is_warned_of(number, found):
    told = [each for each in cautions_of(site(quorum=quorum(number))) if each.path == "lifekeeper.quorum.hosts"]
    assert [each.found for each in told] == found
    assert all("more than half" in each.advice for each in told)


def test_addresses_to_ping_are_not_lifekeepers():
    raw = settings()
    put(raw, "network.public.reachable", ["192.0.2.1"])
    assert [each.path for each in cautions_of(read(raw, "test")) if "ping" in each.advice] == [
        "network.public.reachable"
    ]
