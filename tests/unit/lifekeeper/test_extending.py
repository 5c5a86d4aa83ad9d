"""What is looked at before a hierarchy is extended: all of it in service, the peer alive, nothing else tied to it."""

import asyncio
import copy
from typing import Any

import pytest

from blueprint.site import things
from operations.plan import rows
from providers.connection.errors import Refused
from providers.lifekeeper import extending, hierarchy, steps
from providers.lifekeeper.resource import Member
from providers.lifekeeper.views import Instance, View
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_providers import OWNER, fresh, members, no_waiting, restore, up

__all__ = ["no_waiting"]

A, B = "proxy-a", "proxy-b"
MIRROR, FILESYSTEM, SQUID, ADDRESS = "datarep-mirror", "/mnt/mirror", "qsp-squid", "ip-192.0.2.10"
OTHER = "app-other"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(steps, "ALIVE_LIMIT", 0.0)


def thing(listed, tag):
    return next(each for each in listed if getattr(each.inputs, "tag", "") == tag)


def half(phase=3):
    """The site's things, and a pair of which the second node was set up anew: LifeKeeper's paths are there again."""
    pair, listed = fresh(), members(phase)
    up(pair, listed)
    lost = pair.lcds[B]
    pair.lcds[A].stale, lost.signatures = set(lost.instances), ""
    for table in (lost.instances, lost.priorities, lost.ties):
        table.clear()
    for (node, _), journal in pair.journals.opened.items():
        if node == B:
            journal.values.clear()
    pair.said.clear()
    return pair, listed


def extended(pair):
    return [line for _, line in pair.said if " extend " in line]


def spoken(pair):
    return [line for _, line in pair.said if line.startswith(("/opt/LifeKeeper", "systemctl"))]


# In service, and alive


@pytest.mark.parametrize("state", ["OSF", "OSU", "ISU"])
def test_a_hierarchy_of_which_one_resource_is_not_in_service_is_not_extended(state):
    pair, listed = half()
    pair.lcds[A].instances[ADDRESS][4], pair.lcds[B].units["squid.service"] = state, "active"
    with pytest.raises(Refused, match=rf"{SQUID} cannot be extended to {B}: .* and {ADDRESS} is {state}") as refused:
        up(pair, [thing(listed, SQUID)])
    assert refused.value.node == A
    assert f"`/opt/LifeKeeper/bin/perform_action -t {ADDRESS} -a restore`" in str(refused.value)
    assert (extended(pair), pair.lcds[B].units["squid.service"]) == ([], "active")
    asyncio.run(restore(pair, A))
    up(pair, listed)
    assert pair.lcds[A].instances.keys() == pair.lcds[B].instances.keys()


def test_a_mirror_is_not_extended_either_while_what_stands_on_it_is_out_of_service():
    pair, listed = half()
    pair.lcds[A].instances[SQUID][4] = "OSF"
    with pytest.raises(Refused, match=f"{MIRROR} cannot be extended to {B}: .* and {SQUID} is OSF"):
        up(pair, [thing(listed, MIRROR)])
    assert extended(pair) == []


def test_what_comes_along_with_another_resource_has_no_line_of_its_own_to_be_put_in_service():
    pair, listed = half()
    for tag in (MIRROR, FILESYSTEM):
        pair.lcds[A].instances[tag][4] = "OSU"
    with pytest.raises(Refused, match=f"{FILESYSTEM} is OSU, {MIRROR} is OSU") as refused:
        up(pair, [thing(listed, SQUID)])
    assert f"perform_action -t {FILESYSTEM}" in str(refused.value)
    assert f"perform_action -t {MIRROR}" not in str(refused.value)


@pytest.mark.parametrize("tag", [MIRROR, SQUID, ADDRESS])
def test_nothing_is_extended_to_a_node_that_is_not_alive(tag):
    pair, listed = fresh(), members()
    at = listed.index(thing(listed, tag))
    up(pair, listed[:at])
    pair.lcds[B].paths.clear()
    pair.said.clear()
    with pytest.raises(Refused, match=f"{tag} cannot be extended: {B} is DEAD") as refused:
        up(pair, [listed[at]])
    assert (refused.value.node, extended(pair)) == (A, [])


# Tied to what is not this site's


def put_beside(pair, *ties, nodes=(A,)):
    """By hand: a resource that is not the site's, tied to one of its own."""
    for name in nodes:
        lcd = pair.lcds[name]
        lcd.instances[OTHER], lcd.priorities[OTHER] = ["gen", "app", OTHER, "", "ISP" if name == A else "OSU", ""], 7
        lcd.ties += [tie for tie in ties if set(tie) <= lcd.instances.keys()]


@pytest.mark.parametrize("tie", [(OTHER, SQUID), (SQUID, OTHER), (OTHER, ADDRESS), (FILESYSTEM, OTHER)])
@pytest.mark.parametrize("tag", [MIRROR, SQUID, ADDRESS])
def test_a_resource_that_is_not_the_sites_does_not_come_to_the_other_node_with_an_extension(tag, tie):
    pair, listed = half()
    put_beside(pair, tie)
    before = copy.deepcopy(pair.tables())
    with pytest.raises(Refused, match=f"{tie[0]} on {tie[1]}. They would bring to {B}: {OTHER}") as refused:
        up(pair, [thing(listed, tag)])
    assert refused.value.node == A
    assert f"`/opt/LifeKeeper/bin/dep_remove -p {tie[0]} -c {tie[1]}`" in str(refused.value)
    assert f"extend {OTHER} to {B} in LifeKeeper's own interface" in str(refused.value)
    assert (spoken(pair), pair.tables()) == ([], before)
    pair.lcds[A].ties.remove(tie)
    up(pair, listed)
    assert {*pair.lcds[A].instances} - {*pair.lcds[B].instances} == {OTHER}


@pytest.mark.parametrize("tie", [(OTHER, SQUID), (SQUID, OTHER)])
def test_one_that_is_on_both_nodes_already_is_in_nobodys_way_and_stays_as_it_is(tie):
    pair, listed = half(2)
    put_beside(pair, tie, nodes=(A, B))
    before = {name: (list(lcd.instances[OTHER]), lcd.priorities[OTHER]) for name, lcd in pair.lcds.items()}
    up(pair, listed)
    assert {name: (lcd.instances[OTHER], lcd.priorities[OTHER]) for name, lcd in pair.lcds.items()} == before
    assert pair.lcds[A].instances.keys() == pair.lcds[B].instances.keys()


@pytest.mark.parametrize("name", [A, B])
def test_one_on_both_nodes_that_are_not_equivalent_is_in_the_way(name):
    pair, listed = half(2)
    put_beside(pair, (OTHER, SQUID), nodes=(A, B))
    pair.lcds[name].lone.add(OTHER)
    with pytest.raises(Refused, match=f"They would bring to {B}: {OTHER}"):
        up(pair, [thing(listed, SQUID)])


def test_one_that_is_tied_meanwhile_is_minded_too():
    pair, listed = half(2)

    def tie(_node, line):
        if "eqv_remove" in line and OTHER not in pair.lcds[A].instances:
            put_beside(pair, (OTHER, SQUID))

    pair.after = tie
    with pytest.raises(Refused, match=f"{OTHER} on {SQUID}"):
        up(pair, [thing(listed, SQUID)])
    assert extended(pair) == []


def view(name: str, *tags: str, ties: tuple[tuple[str, str], ...] = (), same: dict[str, str] | None = None) -> View:
    instances = {tag: Instance("gen", "app", tag, tag, "", "ISP") for tag in tags}
    other = B if name == A else A
    equivalents = frozenset((here, other, there) for here, there in (same or {}).items())
    return View(True, True, instances, equivalents, frozenset(ties))


WANTED = Member(tag="squid", nodes={A: None, B: None}, beside=["vip"])


@pytest.mark.parametrize("there", ["app", "application"])
def test_the_other_nodes_tag_for_it_may_be_another_one(there):
    seen = {
        A: view(A, "squid", "app", ties=(("app", "squid"),), same={"app": there}),
        B: view(B, there, same={there: "app"}),
    }
    extending.untied(WANTED, A, B)(seen)


def test_a_dependency_is_named_with_all_that_it_leads_to_and_no_other_is():
    ties = (("app", "vip"), ("vip", "squid"), ("app", "database"), ("squid", "shared"), ("stray", "elsewhere"))
    tags = ("squid", "vip", "app", "database", "shared", "stray", "elsewhere")
    whole = {"app": "app", "shared": "shared"}
    seen = {A: view(A, *tags, ties=ties, same=whole), B: view(B, "app", "shared", same=whole)}
    with pytest.raises(Refused) as refused:
        extending.untied(WANTED, A, B)(seen)
    told = str(refused.value)
    assert "app on vip. They would bring to proxy-b: database\n" in told
    assert "shared" not in told
    assert "stray" not in told


def test_a_hierarchy_is_what_is_tied_together_over_and_under_a_resource():
    ties = [("vip", "squid"), ("squid", "fs"), ("fs", "mirror"), ("other", "mirror"), ("a", "b")]
    assert hierarchy.whole(ties, "fs") == {"vip", "squid", "fs", "mirror", "other"}
    assert hierarchy.whole(ties, "alone") == {"alone"}


# What the kits say


def asked_of(pair, monkeypatch):
    """Who asked on which node, the script there, and what it was told; each before that resource is extended."""
    asked, run = [], pair.lcdremexec

    def noted(name, values):
        program, *words = values["command"]
        asked.append((name, values["dest"], program.removeprefix("/opt/LifeKeeper/lkadm/subsys/"), *words))
        assert not [line for line in extended(pair) if words[-1] in line.split()]
        return run(name, values)

    monkeypatch.setattr(pair, "lcdremexec", noted)
    return asked


def test_each_kit_is_asked_on_the_target_before_its_resource_is_extended(monkeypatch):
    pair, listed = fresh(), members()
    asked = asked_of(pair, monkeypatch)
    up(pair, listed)
    assert {(name, dest) for name, dest, *_ in asked} == {(A, B)}
    assert list(dict.fromkeys(each[2:] for each in asked)) == [
        ("gen/filesys/bin/canextend", A, FILESYSTEM),
        ("scsi/netraid/bin/canextend", A, MIRROR),
        ("gen/qsp/bin/canextend", A, SQUID),
        ("comm/ip/bin/canextend", A, ADDRESS),
    ]


@pytest.mark.parametrize(("tag", "script"), [(MIRROR, "scsi/netraid"), (SQUID, "gen/qsp"), (ADDRESS, "comm/ip")])
@pytest.mark.parametrize("there", [True, False])
def test_what_a_kit_cannot_extend_is_not_extended_and_a_kit_without_a_script_is_not_asked(
    tag, script, there, monkeypatch
):
    pair, listed = fresh(), members()
    at = listed.index(thing(listed, tag))
    up(pair, listed[:at])
    pair.lcds[B].units["squid.service"] = "active" if tag == SQUID else "inactive"
    monkeypatch.setattr(pair, "canextend", lambda name, values: (3, "one\n", f"no {values['tag']} on {name}\n"))
    pair.lcds[B].without = set() if there else {
        f"/opt/LifeKeeper/lkadm/subsys/{each}/bin/canextend" for each in (script, "gen/filesys")
    }  # fmt: skip
    if not there:
        up(pair, [listed[at]])
        assert tag in pair.lcds[B].instances
        return
    told = FILESYSTEM if tag == MIRROR else tag
    with pytest.raises(Refused, match=rf"{told} cannot be extended to {B}: .*exit code 3\n    one\n") as refused:
        up(pair, [listed[at]])
    assert f"no {told} on {B}" in str(refused.value)
    assert not [line for line in extended(pair) if tag in line]
    assert pair.lcds[B].units["squid.service"] == ("active" if tag == SQUID else "inactive")


def test_a_kit_that_says_nothing_is_told_so(monkeypatch):
    pair, listed = fresh(), members(2)
    monkeypatch.setattr(pair, "canextend", lambda _name, _values: (1,))
    with pytest.raises(Refused, match="exit code 1 and said nothing"):
        up(pair, listed)


def test_no_kit_is_asked_while_something_of_the_hierarchy_is_half_extended():
    """The stand-in's would say that the address is extended already, and the extension leaves that as it is."""
    pair, listed = half(2)
    address = list(pair.lcds[A].instances[ADDRESS])
    pair.lcds[B].instances[ADDRESS], pair.lcds[B].priorities[ADDRESS] = [*address[:4], "OSU", address[5]], 10
    pair.lcds[A].stale.discard(ADDRESS)
    pair.lcds[B].lone.add(ADDRESS)
    up(pair, listed)
    assert pair.lcds[A].instances.keys() == pair.lcds[B].instances.keys()
    assert not pair.lcds[B].lone


# Quick Service Protection and the service's unit


def test_a_service_that_does_not_run_after_its_start_is_not_protected():
    pair, listed = fresh(), members(2)

    def fail(node, line):
        if line.startswith("systemctl start"):
            pair.lcds[node].units["squid.service"] = "failed"

    pair.after = fail
    with pytest.raises(Refused, match=f"{A}: squid.service is failed, .* takes only a service that runs") as refused:
        up(pair, listed)
    assert "journalctl -u squid.service" in str(refused.value)
    assert not [line for _, line in pair.said if "create qsp" in line]


class AtBoot(Pair):
    """Where systemd starts Squid."""

    @staticmethod
    def systemctl(lcd, words, say):
        if words[0] == "show":
            return say(0, f"ActiveState={lcd.units[words[-1]]}\nUnitFileState=enabled\n")
        return Pair.systemctl(lcd, words, say)


def test_a_service_that_systemd_starts_at_boot_is_not_protected():
    pair, listed = AtBoot(), members(2)
    with pytest.raises(Refused, match=f"{A}: squid.service is started at boot by systemd") as refused:
        up(pair, listed)
    assert "`systemctl disable squid.service`" in str(refused.value)
    assert not [line for _, line in pair.said if "create qsp" in line]


def test_the_plan_tells_that_no_boot_starts_squid_from_its_configuration_on():
    told = [(row.node, row.command) for row in rows(site(), OWNER) if row.resource == "tree-squid"]
    assert told[:3] == [
        (A, "systemctl disable squid.service"),
        (B, "systemctl disable squid.service"),
        (A, "systemctl start squid.service"),
    ]
    (configuration,) = [each for each in things(site(), OWNER) if each.kind == "squid.config"]
    wanted: Any = configuration.inputs
    nodes = wanted.nodes
    assert {name: node.units["squid.service"].enabled for name, node in nodes.items()} == {A: "disabled", B: "disabled"}
    assert configuration.name in next(each for each in things(site(), OWNER) if each.name == "tree-squid").after
