"""What the reference site is made of, in each of its phases."""

import pytest

from blueprint import names
from blueprint.outputs import outputs
from blueprint.parts import PARTS
from blueprint.proxy import squid_conf_text
from blueprint.site import things
from declaration.load import read
from providers import wire
from providers.kinds import KINDS, load_kind
from tests.support.sites import without_mirror

OWNER = "squid-ha/lab"
FOUND = map(names.found, names.FOUND)
NOT_HERE = (names.FIREWALL, names.ALERTS, names.CLUSTER_ALERTS, names.LIFEKEEPER, names.PATHS, *FOUND)


def test_the_reference_site_has_every_thing_once(site):
    made = [thing.name for thing in things(site, OWNER)]
    assert sorted(made) == sorted(set(names.ALL) - {*NOT_HERE})


def test_every_thing_comes_after_what_it_needs(site):
    seen: set[str] = set()
    for thing in things(site, OWNER):
        assert set(thing.after) <= seen, f"{thing.name} is listed before something that it needs"
        assert thing.kind in KINDS
        assert thing.part in PARTS
        seen.add(thing.name)


def test_what_fences_by_sbd_is_taken_away_before_sbd_also_where_the_cluster_stays(site):
    (fencing,) = [thing for thing in things(site, "squid-ha/lab") if thing.name == names.FENCING]
    assert names.SBD in fencing.after


def test_the_tree_is_tied_from_the_virtual_ip_down_to_the_mirror(site):
    by_name = {thing.name: thing for thing in things(site, OWNER)}
    below = {"tree-address": "tree-squid", "tree-squid": "tree-filesystem", "tree-filesystem": "tree-mirror"}
    for upper, lower in below.items():
        assert lower in by_name[upper].after


def test_inputs_survive_the_way_through_pulumi(site):
    for thing in things(site, OWNER):
        encoded = wire.encode(thing.inputs)
        assert wire.decode(load_kind(thing.kind).Wanted, encoded) == thing.inputs


def test_a_site_of_one_node_has_no_engine(settings):
    without_mirror(settings)
    for key in ("virtual_ip", "pacemaker", "lifekeeper"):
        del settings[key]
    del settings["nodes"][1]
    made = {thing.name for thing in things(read(settings, source="one"), OWNER)}
    assert made == {"node-1", "packages", "time", "squid-profile", "squid-config"}


def test_a_site_without_mirror_keeps_logs_local(settings):
    site = read(without_mirror(settings), source="two")
    made = {thing.name for thing in things(site, OWNER)}
    assert not made & {"mirror", "filesystem", "tree-mirror", "tree-filesystem", "rotation"}
    assert "/mnt/mirror" not in squid_conf_text(site, OWNER)


def test_what_a_site_does_not_have_is_nobodys_need(settings):
    del without_mirror(settings)["time"]
    made = things(read(settings, source="two without a time section"), OWNER)
    present = {thing.name for thing in made}
    assert "time" not in present
    assert all(set(thing.after) <= present for thing in made)


def test_a_firewall_lets_the_other_node_in_before_it_is_waited_for(settings):
    settings["firewall"] = "nftables"
    by_name = {thing.name: thing for thing in things(read(settings, source="lab"), OWNER)}
    for name in ("membership", "mirror"):
        assert "firewall" in by_name[name].after


def test_the_local_log_is_written_before_the_mirrors(site):
    lines = [line for line in squid_conf_text(site, OWNER).splitlines() if line.startswith("access_log")]
    assert [line.split()[1] for line in lines] == [
        "stdio:/var/log/squid/access.log",
        "stdio:/mnt/mirror/squid/access.log",
    ]


def test_the_last_word_of_the_rules_denies(site):
    rules = [line for line in squid_conf_text(site, OWNER).splitlines() if line.startswith("http_access")]
    assert rules[-1] == "http_access deny all"


@pytest.mark.parametrize("stickiness", [0, 100, 1000])
def test_losing_the_public_network_outweighs_all_stickiness(settings, stickiness):
    settings["stickiness"] = stickiness
    by_name = {thing.name: thing for thing in things(read(settings, source="lab"), OWNER)}
    (rule,) = wire.encode(by_name["reachability"].inputs)["constraints"].values()
    assert int(rule["score"]) > 4 * stickiness, "the service would stay on a node that its clients cannot reach"


def test_no_rule_of_ours_makes_squid_look_up_names(site):
    """Without -n, dstdomain looks up every numeric address that a client asks for, and each request waits for it."""
    for line in squid_conf_text(site, OWNER).splitlines():
        if line.startswith("acl") and " dstdomain " in line:
            assert " dstdomain -n " in line


def test_operators_find_the_proxy_in_the_outputs(site):
    assert outputs(site)["proxy"] == "http://192.0.2.10:3128"
