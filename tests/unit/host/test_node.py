"""Whose a node is, and what is refused before it is claimed."""

import json
from pathlib import Path

import pytest

from providers.connection.command import Command
from providers.connection.errors import Refused, Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Absent, Present
from providers.host import node

RECORDED = Path(__file__).parents[2] / "recorded/host"
INTERFACES = {"eth0": "192.0.2.11", "eth1": "172.16.77.11"}
WANTED = node.Wanted(node="qsp-a", platform="debian-12", hostname="qsp-a", owner="squid-ha/lab", interfaces=INTERFACES)
ADDRESSES = (RECORDED.parent / "ip-json-address/untouched.txt").read_text()
CONFFILE = "compare /etc/squid/squid.conf with the distribution's"
SHIPPED = (RECORDED / "corosync.debian.txt").read_text()
COROSYNC = "read the configuration of a running corosync"


def a_node(**changes: str) -> FakeNode:
    answers = {
        "read the node's owner": "",
        "cat /etc/os-release": (RECORDED / "os-release.debian-12.txt").read_text(),
        "uname -n": "qsp-a\n",
        "uname -r": "6.1.0-56-amd64\n",
        "ip -json address show": ADDRESSES,
        COROSYNC: "",
        CONFFILE: (RECORDED / "conffile.shipped.txt").read_text(),
        "claim the node for squid-ha/lab": "",
    } | changes

    def answer(command: Command) -> str:
        return answers[str(command)]

    return FakeNode("qsp-a", answer)


async def claim(fake: FakeNode, *, takeover: bool = False) -> list[str]:
    made = fake_cluster(fake, takeover=takeover)
    await node.converge(made, WANTED, await node.observe(made, WANTED))
    return [str(command) for command in fake.written]


async def test_a_fresh_node_is_absent_and_then_claimed():
    fake = a_node()
    assert await node.observe(fake_cluster(fake), WANTED) == Absent()
    assert await claim(fake) == ["claim the node for squid-ha/lab"]


async def test_a_claimed_node_is_present_with_what_it_is():
    fake = a_node(**{"read the node's owner": "lab/owner squid-ha/lab\n", "uname -n": "other\n"})
    observed = await node.observe(fake_cluster(fake), WANTED)
    assert observed == Present(WANTED.model_copy(update={"hostname": "other"}), {"kernel": "6.1.0-56-amd64"})


async def test_a_foreign_owner_is_seen_and_refused():
    fake = a_node(**{"read the node's owner": "prod/owner squid-ha/prod\n"})
    observed = await node.observe(fake_cluster(fake), WANTED)
    assert isinstance(observed, Present)
    assert observed.values.owner == "squid-ha/prod (site prod)"
    with pytest.raises(Refused, match="belongs to squid-ha/prod"):
        await claim(fake)
    assert fake.written == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({COROSYNC: SHIPPED.replace("debian", "bank")}, "running member of another cluster, bank"),
        ({COROSYNC: SHIPPED.replace("127.0.0.1", "192.0.2.11")}, "running member of another cluster, debian"),
        (
            {CONFFILE: (RECORDED / "conffile.edited.txt").read_text()},
            "neither the distribution's nor made by this site",
        ),
    ],
)
async def test_the_work_of_others_is_refused_but_for_takeover(found, says):
    fake = a_node(**found)
    with pytest.raises(Refused, match=says):
        await claim(fake)
    assert fake.written == []
    assert await claim(fake, takeover=True) == ["claim the node for squid-ha/lab"]


async def test_all_that_is_of_others_is_told_at_once_and_of_another_stacks_node_its_owner_alone():
    theirs = {COROSYNC: SHIPPED.replace("debian", "bank"), CONFFILE: (RECORDED / "conffile.edited.txt").read_text()}
    with pytest.raises(Refused, match=r"(?s)another cluster, bank.*neither the distribution's"):
        await claim(a_node(**theirs))
    with pytest.raises(Refused, match=r"belongs to squid-ha/prod") as refused:
        await claim(a_node(**theirs, **{"read the node's owner": "prod/owner squid-ha/prod\n"}))
    assert "bank" not in str(refused.value)


async def test_squids_file_is_looked_at_where_the_platform_has_it():
    theirs = "compare /opt/squid.conf with the distribution's"
    fake = a_node(**{theirs: (RECORDED / "conffile.edited.txt").read_text()})
    wanted = WANTED.model_copy(update={"squid_configuration": "/opt/squid.conf"})
    with pytest.raises(Refused, match=r"/opt/squid\.conf is neither the distribution's nor made by this site"):
        await node.converge(fake_cluster(fake), wanted, Absent())
    claimed = a_node(**{"read the node's owner": "lab/owner squid-ha/lab\n"})
    observed = await node.observe(fake_cluster(claimed), wanted)
    assert isinstance(observed, Present)
    assert observed.values == wanted


@pytest.mark.parametrize("conf", [SHIPPED, SHIPPED.replace("debian", "lab").replace("127.0.0.1", "192.0.2.11")])
async def test_the_distributions_cluster_and_our_own_are_no_obstacle(conf):
    assert await claim(a_node(**{COROSYNC: conf}))


@pytest.mark.parametrize("found", [{"uname -n": "qsp-b\n"}, {"cat /etc/os-release": "ID=debian\nVERSION_ID=13\n"}])
async def test_takeover_is_no_excuse_for_the_wrong_host(found):
    fake = a_node(**found)
    with pytest.raises(Refused, match=r"but .* is declared"):
        await claim(fake, takeover=True)
    assert fake.written == []


def other(interface: str, address: str | None, *more: str) -> str:
    links = [{"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]}]
    links += [{"ifname": interface, "addr_info": [{"local": each} for each in (address, *more) if each]}]
    links += [{"ifname": "eth1", "addr_info": [{"local": "172.16.77.11"}]}]
    return json.dumps(links)


@pytest.mark.parametrize(
    ("links", "says"),
    [
        (other("ens18", "192.0.2.11"), r"eth0 must bear 192.0.2.11, but there is no such interface; .* is on ens18"),
        (other("eth0", "192.0.2.99"), "eth0 must bear 192.0.2.11, but it bears 192.0.2.99"),
        (other("eth0", None), "eth0 must bear 192.0.2.11, but it bears no address"),
    ],
)
async def test_an_interface_without_its_address_is_refused_and_drift_later(links, says):
    with pytest.raises(Refused, match=says):
        await claim(a_node(**{"ip -json address show": links}))
    claimed = a_node(**{"read the node's owner": "lab/owner squid-ha/lab\n", "ip -json address show": links})
    observed = await node.observe(fake_cluster(claimed), WANTED)
    assert isinstance(observed, Present)
    assert observed.values.interfaces["eth0"] != "192.0.2.11"
    assert observed.values.interfaces["eth1"] == "172.16.77.11"


async def test_further_addresses_such_as_the_virtual_ip_do_no_harm():
    assert await claim(a_node(**{"ip -json address show": other("eth0", "192.0.2.11", "192.0.2.10", "fe80::1")}))


async def test_a_node_that_is_away_is_not_looked_at_and_what_was_made_on_it_stays():
    other = FakeNode("qsp-b", lambda command: pytest.fail(f"{command} on a node that has nothing to do with it"))
    away = WANTED.model_copy(update={"away": "yes"})
    assert await node.observe(fake_cluster(other), away) == Present(away, {"away": "not looked at"})
    await node.converge(fake_cluster(other), away, Present(WANTED))
    await node.remove(fake_cluster(other), away)


async def test_a_node_that_is_not_declared_any_more_is_unknown_not_absent():
    with pytest.raises(Unknown, match=r"(?s)qsp-a is declared away.*without --refresh"):
        await node.observe(fake_cluster(FakeNode("qsp-b", lambda command: "")), WANTED)


async def test_a_node_is_not_released_over_what_a_failed_run_began():
    """Pulumi's state has nothing of a thing whose making failed, so nothing takes it back."""
    listed = {"list what is journalled": "applied/node-1\nkept/%2Fdev%2Fsdb\nfirewall/file %2Fetc%2Fx\ntime/unit x\n"}
    released = {"read the node's owner": "lab/owner squid-ha/lab\n", "release the node from squid-ha/lab": ""}
    fake = a_node(**listed, **released)
    with pytest.raises(Refused, match=r"firewall and time: journalled here, but not in Pulumi's state"):
        await node.remove(fake_cluster(fake, thing="node-1"), WANTED)
    assert fake.written == []
    done = a_node(**{"list what is journalled": "applied/node-1\nkept/%2Fdev%2Fsdb\n"}, **released)
    await node.remove(fake_cluster(done, thing="node-1"), WANTED)
    assert [str(command) for command in done.written] == ["release the node from squid-ha/lab"]
