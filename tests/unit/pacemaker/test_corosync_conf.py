import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.host.corosync import is_distribution_default
from providers.pacemaker.corosync_conf import (
    CorosyncConf,
    CorosyncNode,
    cluster_name,
    flatten,
    needs_restart,
    render,
)

PAIR = CorosyncConf(
    cluster_name="lab",
    token=6000,
    nodes=[
        CorosyncNode(name="qsp-a", nodeid=1, links=["192.0.2.11", "172.16.77.11"]),
        CorosyncNode(name="qsp-b", nodeid=2, links=["192.0.2.12", "172.16.77.12"]),
    ],
)
DISTRIBUTION = """
totem {
\tversion: 2
\t# a comment
\tcluster_name: debian
\tcrypto_cipher: none
}
nodelist {
\tnode {
\t\tname: node1
\t\tnodeid: 1
\t\tring0_addr: 127.0.0.1
\t}
}
"""


def test_a_pair_has_two_encrypted_links_and_waits_for_all():
    settings = dict(flatten(render(PAIR)))
    assert settings["totem.crypto_cipher"] == "aes256"
    assert settings["totem.crypto_hash"] == "sha256"
    assert settings["quorum.two_node"] == "1"
    assert settings["quorum.wait_for_all"] == "1"
    assert settings["totem.consensus"] == "7200"
    assert settings["nodelist.node.ring1_addr"] == "172.16.77.11"
    assert settings["nodelist.node.1.ring1_addr"] == "172.16.77.12"


def test_every_opening_brace_ends_its_line():
    assert all(line.endswith("{") for line in render(PAIR).splitlines() if "{" in line)


names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
nodes = st.builds(CorosyncNode, name=names, nodeid=st.integers(1, 9), links=st.lists(names, min_size=1, max_size=2))


@given(st.builds(CorosyncConf, cluster_name=names, nodes=st.lists(nodes, min_size=1, max_size=3)))
def test_what_is_rendered_reads_back(conf: CorosyncConf):
    text = render(conf)
    assert cluster_name(text) == conf.cluster_name
    settings = flatten(text)
    addresses = [value for path, value in settings if path.startswith("nodelist.") and path.endswith("_addr")]
    assert addresses == [link for node in conf.nodes for link in node.links]
    assert ("quorum.two_node", "1") in settings or len(conf.nodes) != 2


def test_the_distributions_own_cluster_is_told_from_a_real_one():
    assert is_distribution_default(DISTRIBUTION)
    assert not is_distribution_default(DISTRIBUTION.replace("127.0.0.1", "10.0.0.1"))
    assert not is_distribution_default(DISTRIBUTION.replace("ring0_addr: 127.0.0.1", "")), "found by multicast"
    assert not is_distribution_default("nonsense")
    assert not is_distribution_default(render(PAIR))


@pytest.mark.parametrize(
    ("change", "restart"),
    [
        ({}, False),
        ({"token": 9000}, False),
        ({"crypto_cipher": "aes128"}, True),
        ({"wait_for_all": False}, True),
        ({"nodes": [PAIR.nodes[0], PAIR.nodes[1].model_copy(update={"links": ["192.0.2.99"]})]}, True),
    ],
)
def test_only_timers_are_taken_over_without_a_restart(change, restart):
    assert needs_restart(render(PAIR), render(PAIR.model_copy(update=change))) is restart


def test_what_is_no_corosync_conf_names_its_line():
    with pytest.raises(ValueError, match="line 2"):
        flatten("totem {\nnonsense\n}")
