"""The firewall's guard against locking out, and the comparison of what is loaded with what is declared."""

import json

import pytest

from providers import reconcile
from providers.connection.command import Result
from providers.connection.errors import HostError, NotVerified, Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent
from providers.host import firewall
from providers.host.settings import FileState, NodeSettings

RULES = [{"match": {"op": "==", "left": "port", "right": 22}}, {"accept": None}]
TEXT = "table inet squid_ha {}\n"
SETTINGS = NodeSettings(files={"/etc/squid-ha/firewall.nft": FileState(content=TEXT)})


def wanted(*ssh_ports: str) -> firewall.Wanted:
    return firewall.Wanted(
        nodes={"a": firewall.NodeFirewall(settings=SETTINGS, ssh_ports=list(ssh_ports or ("22",)))}, table="squid_ha"
    )


def listing(*rules: object, handle: int = 1, comment: str = "") -> str:
    items = [{"metainfo": {"version": "1"}}, {"table": {"family": "inet", "name": "squid_ha", "handle": handle}}]
    items += [{"chain": {"name": "input", "policy": "accept", "handle": handle}}]
    items += [{"rule": {"expr": rule, "handle": handle + n, "comment": comment}} for n, rule in enumerate(rules)]
    return json.dumps({"nftables": items})


def test_the_same_rules_are_as_declared_whatever_their_handles():
    assert firewall.compare(listing(RULES, handle=7), listing(RULES)) == firewall.LOADED


def test_nothing_loaded_is_said_so():
    assert firewall.compare("", listing(RULES)) == "not loaded"


def test_a_difference_names_the_rule_by_its_comment():
    said = firewall.compare(listing(), listing(RULES, comment="SSH"))
    assert said.startswith("without the rule")
    assert said.endswith("(SSH)")
    assert firewall.compare(listing(RULES, comment="mine"), listing()).startswith("with the rule")


def test_order_counts_because_the_first_rule_that_fits_decides():
    other = [{"drop": None}]
    assert firewall.compare(listing(other, RULES), listing(RULES, other)) == "the same rules in another order"


def test_another_policy_is_a_difference():
    assert "policy" in firewall.compare(listing().replace("accept", "drop"), listing())


class Host:
    """A node with nft: ``port`` is what SSH comes in by; ``shut`` lets no new connection in."""

    def __init__(self, port: str = "22", *, shut: bool = False) -> None:
        self.port, self.shut, self.loaded, self.armed = port, shut, "", False

    def __call__(self, command) -> Result | str:
        label = str(command)
        if label.startswith("nft -j list"):
            return f"{self.loaded}\n{listing(RULES)}\n"
        if "comes in by" in label:
            return f"{self.port}\n"
        if label.startswith("arm"):
            self.armed = True
        if label.startswith("disarm"):
            self.armed = False
        if label.startswith("nft --file"):
            assert self.armed, "loaded without a guard"
            self.loaded = listing(RULES)
        if label == "take the firewall back":
            self.loaded = ""
        if label == "connect anew" and self.shut:
            return Result(command, 255, "", "no route")
        if "show" in command.argv and "systemctl" in command.argv:
            return ""
        return "absent - - -\n\n" * (len(command.argv) - 4) if "readlink" in command.shell() else ""


async def test_a_port_that_would_be_closed_is_refused_before_anything_is_loaded():
    node = FakeNode("a", Host("2222"))
    with pytest.raises(Refused, match=r"port 2222.*close(.|\n)*ssh_ports: \[2222\]"):
        await firewall.converge(fake_cluster(node), wanted("22"), Absent())
    assert not [each for each in node.written if "nft" in str(each)]


async def test_a_table_that_nobody_gets_in_by_is_taken_back_and_not_kept():
    host = Host(shut=True)
    node = FakeNode("a", host)
    with pytest.raises(NotVerified, match="no new connection got in"):
        await firewall.converge(fake_cluster(node), wanted(), Absent())
    assert host.loaded == ""
    assert not any(str(each).startswith("write ") for each in node.written)


async def test_the_guard_is_armed_before_and_disarmed_after_a_new_connection_answered():
    host = Host()
    node = FakeNode("a", host)
    await firewall.converge(fake_cluster(node), wanted(), Absent())
    done = [str(each) for each in node.commands]
    order = [next(i for i, each in enumerate(done) if each.startswith(what)) for what in
             (f"arm {firewall.UNDO}", "nft --file", "connect anew", f"disarm {firewall.UNDO}")]  # fmt: skip
    assert order == sorted(order)
    assert not host.armed
    assert host.loaded


async def test_a_run_that_was_cut_off_under_the_guard_is_gone_on_with(monkeypatch: pytest.MonkeyPatch):
    host, journals = Host(), FakeJournals()
    cluster = fake_cluster(FakeNode("a", host), thing="firewall", journals=journals)

    async def killed(_node: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(firewall, "answers_afresh", killed)
        with pytest.raises(KeyboardInterrupt):
            await firewall.converge(cluster, wanted(), Absent())
    assert host.armed
    pending = [name for name in journals.opened["a", "firewall"].values if name.startswith(reconcile.PENDING)]
    assert pending, "the next run would see nothing to do"
    await firewall.converge(cluster, wanted(), Absent())
    assert not host.armed
    assert firewall.PENDING not in journals.opened["a", "firewall"].values


async def test_without_rules_there_is_nothing_to_load():
    with pytest.raises(ValueError, match="without a file"):
        firewall.rules_of(NodeSettings())
    assert issubclass(NotVerified, HostError)
