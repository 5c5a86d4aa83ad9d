"""This side of the conversation, against a pair in memory: made, adopted, drift, cut off, taken back."""

import asyncio
import contextlib
import copy
import json
from typing import Any

import pytest

from blueprint.site import things
from providers import binding, reconcile, wire
from providers.connection.command import Result
from providers.connection.errors import CommandFailed, Refused, TimedOut, Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Absent, Present
from providers.kinds import load_kind
from providers.lifekeeper import defaults, paths, speaking, steps, views
from tests.support.cuts import drawn
from tests.unit.lifekeeper.fake import Cut, Pair
from tests.unit.lifekeeper.sites import site

OWNER = "squid-ha/lab"
SCRIPT = "#!/bin/sh\nexit 0\n"


def members(phase=3, **lifekeeper) -> list[Any]:
    """The engine's things, in their order; what is on the mirror's filesystem is left to the containers."""
    made: list[Any] = [each for each in things(site(phase, **lifekeeper), OWNER) if each.kind.startswith("lifekeeper.")]
    for each in made:
        if each.kind == "lifekeeper.filesystem":
            each.inputs.directories.clear()
            each.inputs.files.clear()
        if each.kind == "lifekeeper.mirror":
            each.inputs.mount_points.clear()
    return made


def up(pair, listed):
    for thing in listed:
        asyncio.run(reconcile.apply(thing.kind, pair.cluster(thing.name), thing.inputs))


def down(pair, listed):
    for thing in reversed(listed):
        asyncio.run(reconcile.remove(thing.kind, pair.cluster(thing.name), thing.inputs))


def cut_off(pair, listed, what, run=up):
    """An `up`, or `down`, that ends where ``what`` is said or done; the pair is left to run on afterwards."""

    def cut(_node, line):
        if what in line:
            raise Cut

    pair.after = cut
    with pytest.raises(Cut):
        run(pair, listed)
    pair.after = lambda _node, _line: None


def differences(pair, thing):
    seen = asyncio.run(load_kind(thing.kind).observe(pair.cluster(thing.name), thing.inputs))
    assert isinstance(seen, Present), f"{thing.name} is absent"
    return [str(each) for each in reconcile.differences(thing.inputs, seen.values)]


def fresh():
    pair = Pair()
    for lcd in pair.lcds.values():
        lcd.running = False
    return pair


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 0.0)


@pytest.mark.parametrize("phase", [2, 3])
def test_a_site_is_made_reads_back_as_wanted_and_is_left_alone_then(phase):
    pair, listed = fresh(), members(phase)
    up(pair, listed)
    assert [differences(pair, thing) for thing in listed] == [[] for _ in listed]
    lines = len(pair.said)
    up(pair, listed)
    assert len(pair.said) == lines
    states = {tag: each[4] for tag, each in pair.lcds["proxy-a"].instances.items()}
    assert set(states.values()) == {"ISP"}
    assert {each[4] for each in pair.lcds["proxy-b"].instances.values()} == {"OSU"}


@pytest.mark.parametrize("priorities", [[1, 10], [10, 1], [200, 30]])
def test_the_service_begins_on_the_preferred_node_whatever_becomes_of_the_order_of_maps(priorities):
    """Pulumi keeps none, so that which node came first was a matter of chance."""
    preferred = "proxy-a" if priorities[0] < priorities[1] else "proxy-b"
    for turned in (False, True):
        listed = members(priorities=priorities)
        for each in listed:
            sent = wire.encode(each.inputs)
            if "nodes" in sent:
                sent["nodes"] = dict(sorted(sent["nodes"].items(), reverse=turned))
            object.__setattr__(each, "inputs", wire.decode(type(each.inputs), sent))
        pair = fresh()
        up(pair, listed)
        states = {name: {each[4] for each in lcd.instances.values()} for name, lcd in pair.lcds.items()}
        assert states[preferred] == {"ISP"}, states


@pytest.mark.thorough
def test_the_lines_of_lkcli_come_to_the_same(monkeypatch):
    whole, pair, listed = fresh(), fresh(), members(prefer="lkcli")
    up(whole, members())
    monkeypatch.setattr(
        pair,
        "lkcli_commpath_create",
        lambda name, values: pair.net_create(
            name, {**values, "system": values["dest"], "local": values["laddr"], "remote": values["raddr"]}
        ),
        raising=False,
    )
    up(pair, listed)
    known = [{**each, "systems": []} for each in pair.tables().values()]
    assert known == [{**each, "systems": []} for each in whole.tables().values()]


LINES = ("/opt/LifeKeeper", "/mnt/sps", "systemctl", "killall", f"write {defaults.PATH}")


@pytest.mark.parametrize("priorities", [[1, 10], [5, 10], [200, 30]])
@pytest.mark.parametrize("phase", [2, 3])
def test_what_is_said_is_what_the_plan_tells_and_in_that_order(phase, priorities):
    given = {"media": "/mnt/sps", "license": {"file": "/root/l"}, "check_interval": "60s", "priorities": priorities}
    pair, listed = fresh(), members(phase, **given)
    for lcd in pair.lcds.values():
        lcd.installed, lcd.enabled, lcd.files["/root/l"] = False, False, "FEATURE lklc"
    kinds: dict[str, Any] = {thing.kind: load_kind(thing.kind) for thing in listed}
    lines = [line for thing in listed for line in kinds[thing.kind].lines(thing.inputs)]
    setting = f"Setting in {defaults.PATH}"
    told = [(each.node, f"write {defaults.PATH}" if each.page == setting else " ".join(each.words)) for each in lines]
    # That comes with Squid's configuration, which is none of the engine's things.
    told = [(node, line) for node, line in told if not line.startswith("systemctl disable")]
    up(pair, listed)
    said = [(node, line) for node, line in pair.said if line.startswith(LINES)]
    assert said == told
    written = {f"{each.words[0]}\n" for each in lines if each.page == setting}
    assert {lcd.defaults for lcd in pair.lcds.values()} == written


def test_a_pair_built_by_hand_is_adopted_without_a_word():
    built = fresh()
    up(built, members())
    pair = Pair()
    pair.lcds = copy.deepcopy(built.lcds)
    up(pair, members())
    assert pair.said == []
    down(pair, members())
    assert pair.said == [], "what was found must stay"


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_every_cut_ends_in_the_same_state():
    whole, listed = fresh(), members()
    up(whole, listed)
    count = len(whole.said)
    assert count > 15
    for position in (each - 1 for each in drawn(count, 2)):
        for moment in ("before", "after"):
            pair, seen = fresh(), []

            def cut(node, line, seen=seen, position=position):
                if line.startswith("half"):
                    return
                seen.append(line)
                if len(seen) == position + 1:
                    raise Cut

            setattr(pair, moment, cut)
            with pytest.raises(Cut):
                up(pair, listed)
            setattr(pair, moment, lambda _node, _line: None)
            up(pair, listed)
            assert pair.tables() == whole.tables(), f"cut {moment} {whole.said[position]}"
            assert not [v for v in pair.journals.opened.values() if any(n.startswith("pending") for n in v.values)]


def test_a_mirror_that_was_left_half_made_is_made_anew():
    whole, pair, listed = fresh(), fresh(), members()
    up(whole, listed)

    cut_off(pair, listed, "half way")
    up(pair, listed)
    assert pair.tables() == whole.tables()


@pytest.mark.thorough
def test_an_extension_that_was_left_half_made_is_made_whole():
    whole, listed = fresh(), members()
    up(whole, listed)
    halves = 4  # mirror and filesystem, Squid, address
    for number in range(halves):
        pair, seen = fresh(), []

        def cut(_node, line, seen=seen, number=number):
            if line == "half extended":
                seen.append(line)
                if len(seen) == number + 1:
                    raise Cut

        pair.after = cut
        with pytest.raises(Cut):
            up(pair, listed)
        pair.after = lambda _node, _line: None
        up(pair, listed)
        assert pair.tables() == whole.tables(), f"cut in the {number + 1}. extension"


def mirror_and_filesystem(listed):
    mirror = next(each for each in listed if each.kind == "lifekeeper.mirror")
    return mirror, mirror.inputs.tag, mirror.inputs.fstag


@pytest.mark.thorough
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)], ids=["mirror", "filesystem", "both"])
@pytest.mark.parametrize("name", ["proxy-a", "proxy-b"])
def test_half_an_equivalency_is_completed_and_nothing_taken_back(which, name):
    whole, pair, listed = fresh(), fresh(), members()
    up(whole, listed)
    up(pair, listed)
    _, *tags = mirror_and_filesystem(listed)
    pair.lcds[name].lone.update(tags[each] for each in which)
    pair.said.clear()
    up(pair, listed)
    said = [line.split()[0] for _, line in pair.said if line.startswith("/opt/LifeKeeper")]
    assert said == ["/opt/LifeKeeper/bin/eqv_create"] * len(which) + ["/opt/LifeKeeper/bin/lcdsync"] * 2
    assert pair.tables() == whole.tables()


def test_an_extension_that_cannot_follow_takes_nothing_back():
    pair, listed = fresh(), members()
    up(pair, listed)
    mirror, tag, fstag = mirror_and_filesystem(listed)
    for lcd in pair.lcds.values():
        lcd.lone.add(tag)
    pair.lcds["proxy-b"].mounted = "/srv"
    before = copy.deepcopy(pair.tables())
    with pytest.raises(Refused, match=r"in use: .*/srv") as refused:
        up(pair, [mirror])
    assert refused.value.node == "proxy-b"
    assert pair.tables() == before
    assert (fstag, "proxy-b", fstag) in asyncio.run(views.read(pair.cluster(), pair.names))["proxy-a"].equivalents


def test_removing_takes_back_what_was_made_and_nothing_else():
    pair, listed = fresh(), members()
    foreign = ["comm", "ip", "IP-198.51.100.9", "proxy-a eth0 198.51.100.9 ffffff00 none", "ISP", "automatic"]
    for lcd in pair.lcds.values():
        lcd.instances["ip-other"] = list(foreign)
        lcd.priorities["ip-other"] = 7
        lcd.lone.add("ip-other")
        lcd.systems.append("third")
        lcd.paths["third", "192.0.2.11/192.0.2.13"] = 5
    before = copy.deepcopy(pair.tables())
    up(pair, listed)
    down(pair, listed)
    after = pair.tables()
    for name in pair.names:
        assert {key: after[name][key] for key in ("instances", "priorities", "ties", "systems", "paths")} == {
            key: before[name][key] for key in ("instances", "priorities", "ties", "systems", "paths")
        }
    assert not any(each.values for (_, thing), each in pair.journals.opened.items() if thing != "kept")


OTHERS = "/srv/other"


def tie_to_another_filesystem(pair, parent):
    """By hand: below ``parent``, a filesystem on a mirror that is somebody else's."""
    for lcd in pair.lcds.values():
        for tag, kind in ((OTHERS, ("gen", "filesys")), ("datarep-other", ("scsi", "netraid"))):
            lcd.instances[tag] = [*kind, tag, "", "ISP", "intelligent"]
            lcd.priorities[tag] = 7
        lcd.ties += [(OTHERS, "datarep-other"), (parent, OTHERS)]


def split(listed, tag):
    """The thing that takes the resource with this tag away, and those that go before it."""
    at = next(i for i, each in enumerate(listed) if tag in (getattr(each.inputs, key, "") for key in ("tag", "fstag")))
    return listed[at], listed[at + 1 :]


@pytest.mark.parametrize("tag", ["ip-192.0.2.10", "qsp-squid", "/mnt/mirror", "datarep-mirror"])
def test_somebody_elses_filesystem_below_a_resource_is_not_deleted_with_it(tag):
    pair, listed = fresh(), members()
    up(pair, listed)
    thing, before = split(listed, tag)
    down(pair, before)
    tie_to_another_filesystem(pair, tag)
    tables = copy.deepcopy(pair.tables())
    pair.said.clear()
    for _ in range(2):
        with pytest.raises(Refused, match=f"{tag} on {OTHERS}") as refused:
            down(pair, [thing])
        assert all(f"{name}: LifeKeeper may delete" in str(refused.value) for name in pair.names)
        assert f"dep_remove -p {tag} -c {OTHERS}" in str(refused.value)
    assert (pair.tables(), pair.said) == (tables, [])
    for lcd in pair.lcds.values():
        lcd.ties.remove((tag, OTHERS))
    down(pair, [thing])
    for lcd in pair.lcds.values():
        assert tag not in lcd.instances
        assert {OTHERS, "datarep-other"} <= lcd.instances.keys()


def test_the_line_that_deletes_somebody_elses_dependency_can_be_pasted_into_a_shell():
    pair, listed = fresh(), members()
    up(pair, listed)
    thing, before = split(listed, "qsp-squid")
    down(pair, before)
    for lcd in pair.lcds.values():
        lcd.instances["x;reboot"], lcd.priorities["x;reboot"] = ["gen", "app", "x", "", "ISP", "intelligent"], 7
        lcd.ties.append(("qsp-squid", "x;reboot"))
    with pytest.raises(Refused, match=r"`/opt/LifeKeeper/bin/dep_remove -p qsp-squid -c 'x;reboot'`"):
        down(pair, [thing])


@pytest.mark.parametrize("cut", ["dep_remove", "-a remove"])
def test_somebody_elses_filesystem_stays_though_the_removal_before_was_cut_off(cut):
    pair, listed = fresh(), members()
    up(pair, listed)
    squid, before = split(listed, "qsp-squid")
    down(pair, before)
    cut_off(pair, [squid], cut, run=down)
    tie_to_another_filesystem(pair, "qsp-squid")
    with pytest.raises(Refused, match=f"qsp-squid on {OTHERS}"):
        down(pair, [squid])
    assert all({OTHERS, "datarep-other", "qsp-squid"} <= lcd.instances.keys() for lcd in pair.lcds.values())


def test_a_dependency_that_appears_while_a_resource_is_taken_away_is_minded_too():
    pair, listed = fresh(), members()
    up(pair, listed)
    squid, before = split(listed, "qsp-squid")
    down(pair, before)

    def tie(_node, line):
        if "dep_remove" in line and OTHERS not in pair.lcds["proxy-a"].instances:
            tie_to_another_filesystem(pair, "qsp-squid")

    pair.after = tie
    with pytest.raises(Refused, match=f"qsp-squid on {OTHERS}"):
        down(pair, [squid])
    assert all({OTHERS, "datarep-other", "qsp-squid"} <= lcd.instances.keys() for lcd in pair.lcds.values())


@pytest.mark.parametrize("forgot", [["proxy-b"], ["proxy-a", "proxy-b"]])
def test_the_sites_own_mirror_outlives_squid_though_no_journal_knows_the_tie(forgot):
    """An extension brings ties along to a node that was set up anew."""
    pair, listed = fresh(), members()
    up(pair, listed)
    asyncio.run(restore(pair, "proxy-b"))
    squid, before = split(listed, "qsp-squid")
    for name in forgot:
        del pair.journals.opened[name, squid.name].values["depends on /mnt/mirror"]
    down(pair, [squid, *before])
    assert all({"/mnt/mirror", "datarep-mirror"} == lcd.instances.keys() for lcd in pair.lcds.values())
    down(pair, listed)
    assert [lcd.instances for lcd in pair.lcds.values()] == [{}, {}]


@pytest.mark.parametrize("heard", [False, True])
def test_the_last_path_stays_while_somebody_elses_resource_is_on_both_nodes(heard):
    """Without one each node takes the other for dead, and starts what it protects."""
    pair, listed = fresh(), members()
    up(pair, listed)
    foreign = ["comm", "ip", "IP-198.51.100.9", "proxy-a eth0 198.51.100.9 ffffff00 none", "ISP", "automatic"]
    for name, lcd in pair.lcds.items():
        lcd.instances["ip-other"] = list(foreign)
        lcd.priorities["ip-other"] = 7
        if heard:
            there, here = ("proxy-b", "198.51.100.1/198.51.100.2"), ("proxy-a", "198.51.100.2/198.51.100.1")
            lcd.paths[there if name == "proxy-a" else here] = 9
    down(pair, listed)
    left = {name: [addresses for _, addresses in lcd.paths] for name, lcd in pair.lcds.items()}
    assert [len(each) for each in left.values()] == [1, 1]
    assert sorted(left["proxy-a"][0].split("/")) == sorted(left["proxy-b"][0].split("/"))
    assert all(("198.51.100.1" in each[0]) == heard for each in left.values())
    assert all("ip-other" in lcd.instances for lcd in pair.lcds.values())


def test_what_a_cut_off_extension_left_on_the_other_node_is_deleted_too():
    pair, listed = fresh(), members(2)

    cut_off(pair, listed, "half extended")
    assert all("qsp-squid" in lcd.instances for lcd in pair.lcds.values())
    down(pair, listed)
    assert [lcd.instances for lcd in pair.lcds.values()] == [{}, {}]


def test_data_of_a_removed_mirror_is_taken_over_and_never_formatted_again():
    pair, listed = fresh(), members()
    up(pair, listed)
    down(pair, listed)
    pair.said.clear()
    mirror = next(each for each in listed if each.kind == "lifekeeper.mirror")
    pair.lcds["proxy-b"].signatures = pair.lcds["proxy-a"].signatures

    def mounts(_node, line):
        if line.startswith("mount "):
            pair.lcds["proxy-a"].mounted = "/mnt/mirror"
        elif "extend dk" in line:
            pair.lcds["proxy-a"].mounted = ""

    pair.after = mounts
    up(pair, listed[: listed.index(mirror) + 1])
    created = [line for _, line in pair.said if "create dk" in line]
    assert created
    assert all("--hierarchy existing" in line for line in created)


def test_the_only_path_is_not_made_anew(monkeypatch):
    monkeypatch.setattr(paths, "ALIVE_LIMIT", 0.0)
    pair, listed = fresh(), members(2)
    up(pair, listed)
    for lcd in pair.lcds.values():
        only = next(iter(lcd.paths))
        lcd.paths = {only: 50}
    wanted = next(each for each in listed if each.name == "paths")
    for node in wanted.inputs.nodes.values():
        for addresses in list(node.sides)[1:]:
            del node.sides[addresses]
    with pytest.raises(Refused, match="the only one over which"):
        up(pair, [wanted])
    assert [len(lcd.paths) for lcd in pair.lcds.values()] == [1, 1]


def test_two_paths_do_not_change_places_at_once():
    pair, listed = fresh(), members()
    up(pair, listed)
    for lcd in pair.lcds.values():
        first, second = lcd.paths
        lcd.paths = {first: lcd.paths[second], second: lcd.paths[first]}
    before = copy.deepcopy(pair.tables())
    with pytest.raises(Refused, match=r"cannot have the priority 1: .* has it"):
        up(pair, listed)
    assert pair.tables() == before


def test_a_path_that_was_found_stays_although_its_priority_was_changed_by_a_run_that_was_cut_off():
    pair, listed = Pair(), members()
    built = fresh()
    up(built, listed)
    pair.lcds = copy.deepcopy(built.lcds)
    first = next(iter(pair.lcds["proxy-a"].paths))
    pair.lcds["proxy-a"].paths[first] = 50

    cut_off(pair, listed, "net_remove")
    up(pair, listed)
    assert pair.lcds["proxy-a"].paths == built.lcds["proxy-a"].paths
    down(pair, listed)
    assert pair.lcds["proxy-a"].paths == built.lcds["proxy-a"].paths


@pytest.mark.thorough
@pytest.mark.parametrize("priorities", [[10, 1], [10, 20], [999, 998], [1, 2]])
def test_priorities_change_although_two_nodes_never_have_the_same(priorities):
    pair = fresh()
    up(pair, members())
    listed = members(priorities=priorities)
    up(pair, listed)
    assert [differences(pair, thing) for thing in listed] == [[] for _ in listed]
    for name, priority in zip(pair.names, priorities, strict=True):
        assert set(pair.lcds[name].priorities.values()) == {priority}


@pytest.mark.parametrize("runs_on", ["proxy-a", "proxy-b"])
def test_a_node_that_was_set_up_anew_gets_everything_again(runs_on):
    whole, pair, listed = fresh(), fresh(), members()
    for each in (whole, pair):
        up(each, listed)
        asyncio.run(restore(each, runs_on))
    lost, left = pair.lcds[pair.other(runs_on)], pair.lcds[runs_on]
    left.stale, lost.signatures = set(left.instances), ""
    for table in (lost.instances, lost.priorities, lost.ties, lost.paths, lost.systems):
        table.clear()
    for (node, _), journal in pair.journals.opened.items():
        if pair.lcds[node] is lost:
            journal.values.clear()
    up(pair, listed)
    assert left.stale == set()
    own = {"units": {}, "signatures": ""}
    assert [vars(lcd) | own for lcd in pair.lcds.values()] == [vars(lcd) | own for lcd in whole.lcds.values()]


DRIFT = [
    ("tree-squid", lambda lcd: lcd.instances["qsp-squid"].__setitem__(5, "automatic"), "switchback"),
    ("tree-squid", lambda lcd: lcd.priorities.__setitem__("qsp-squid", 77), "priority"),
    ("tree-squid", lambda lcd: lcd.ties.remove(("qsp-squid", "/mnt/mirror")), "depends_on"),
    ("tree-filesystem", lambda lcd: lcd.ties.remove(("/mnt/mirror", "datarep-mirror")), "depends_on"),
    ("tree-address", lambda lcd: lcd.lone.add("ip-192.0.2.10"), "equivalency"),
    ("tree-address", lambda lcd: lcd.ties.remove(("ip-192.0.2.10", "qsp-squid")), "depends_on"),
    ("paths", lambda lcd: lcd.paths.pop(next(iter(lcd.paths))), "sides"),
    ("paths", lambda lcd: lcd.paths.__setitem__(next(iter(lcd.paths)), 50), "priority"),
    ("lifekeeper", lambda lcd: setattr(lcd, "defaults", "NOBCASTPING=0\n"), "NOBCASTPING"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "change", "told"), DRIFT, ids=[f"{name}: {told}" for name, _, told in DRIFT])
def test_a_property_that_was_changed_by_hand_is_seen_and_repaired(name, change, told):
    pair, listed = fresh(), members(address={"broadcast_ping": False})
    up(pair, listed)
    change(pair.lcds["proxy-b"])
    thing = next(each for each in listed if each.name == name)
    assert any(told in each for each in differences(pair, thing))
    up(pair, listed)
    assert differences(pair, thing) == []


def test_what_no_command_changes_is_refused_with_what_is_there():
    pair, listed = fresh(), members(2)
    up(pair, listed)
    pair.lcds["proxy-b"].instances["ip-192.0.2.10"][3] = "proxy-b eth7 192.0.2.10 ffffff00 none"
    with pytest.raises(Refused, match="interface eth7"):
        up(pair, listed)


def test_an_address_that_is_there_outside_of_lifekeeper_is_named_with_its_interface():
    """A resource that is deleted in service leaves its address behind."""
    pair, listed = fresh(), members(2)
    up(pair, listed)
    for lcd in pair.lcds.values():
        pair.forget(lcd, "ip-192.0.2.10")
    own, stray = ({"family": "inet", "local": f"192.0.2.{each}", "prefixlen": 24} for each in (11, 10))
    shown = json.dumps([{"ifname": "lo"}, {"ifname": "eth0", "addr_info": [{}, own, stray]}])
    pair.lcds["proxy-a"].stray = shown
    with pytest.raises(Refused, match=r"proxy-a: 192\.0\.2\.10 is on eth0 already") as refused:
        up(pair, listed)
    assert "ip address delete 192.0.2.10/24 dev eth0" in str(refused.value)
    assert not any("ip-192.0.2.10" in lcd.instances for lcd in pair.lcds.values())
    pair.lcds["proxy-a"].stray = shown[:-5]
    with pytest.raises(Unknown, match=r"^proxy-a: what `ip` says of the addresses is not understood"):
        up(pair, listed)
    pair.lcds["proxy-a"].stray = ""
    up(pair, listed)


def test_a_resource_of_that_name_that_is_something_else_is_refused():
    pair, listed = fresh(), members(2)
    pair.lcds["proxy-a"].instances["qsp-squid"] = ["webserver", "apache", "x", "", "ISP", "intelligent"]
    pair.lcds["proxy-a"].running = True
    with pytest.raises(Refused, match="webserver/apache"):
        up(pair, listed)
    assert "qsp-squid" not in pair.lcds["proxy-b"].instances


def test_a_help_that_differs_is_told_and_nothing_is_written():
    pair, listed = fresh(), members(2)
    pair.helps["lkcli resource create qsp"] = "Usage: lkcli resource create qsp --tag <tag> --name <service>\n"
    with pytest.raises(Refused) as refused:
        up(pair, listed)
    assert "--service" in str(refused.value)
    assert "found" in str(refused.value)
    assert not [line for _, line in pair.said if "/opt/LifeKeeper" in line]


def declare(monkeypatch, listed):
    """As Pulumi tells each thing in a run what is wanted of it, also what is then not changed."""
    monkeypatch.setattr(speaking, "_DECLARED", {})
    for each in listed:
        provider, props = binding.load(each.kind), {binding.IDENTITY: f"{OWNER}/{each.name}"}
        assert provider.check({}, {**props, **wire.encode(each.inputs)}).failures == []


def another_help(pair, name="lkcli resource create qsp", node=""):
    pair.helps[f"{node} {name}".strip()] = "Usage: lkcli resource create qsp --tag <tag> --name <service>\n"


@pytest.mark.parametrize("node", ["", "proxy-a", "proxy-b"])
def test_a_help_that_differs_is_told_before_the_first_path_where_lifekeeper_runs_already(node, monkeypatch):
    """Then there is nothing to do for LifeKeeper itself, and paths and mirror are made by lines that are certain."""
    pair, listed = Pair(), members()
    another_help(pair, node=node)
    declare(monkeypatch, listed)
    with pytest.raises(Refused, match="does not take `lkcli resource create qsp`"):
        up(pair, listed)
    assert pair.said == []
    assert all((lcd.systems, lcd.paths, lcd.instances) == ([], {}, {}) for lcd in pair.lcds.values())


def lose_the_address(lcd):
    Pair.forget(lcd, "ip-192.0.2.10")


FIRST = [
    ("paths", lambda lcd: lcd.paths.pop(next(iter(lcd.paths)))),
    ("tree-mirror", lambda lcd: lcd.lone.add("datarep-mirror")),
    ("tree-filesystem", lambda lcd: lcd.initial.__setitem__("/mnt/mirror", "INIT_OSU")),
    ("tree-squid", lambda lcd: lcd.instances["qsp-squid"].__setitem__(5, "automatic")),
    ("tree-address", lose_the_address),
]


@pytest.mark.parametrize(("name", "change"), FIRST, ids=[name for name, _ in FIRST])
def test_whichever_thing_is_the_first_to_be_changed_says_nothing_while_the_help_of_another_ones_line_differs(
    name, change, monkeypatch
):
    pair, listed = fresh(), members()
    up(pair, listed)
    for lcd in pair.lcds.values():
        change(lcd)
    before = copy.deepcopy(pair.tables())
    another_help(pair, node="proxy-b")
    pair.said.clear()
    thing = next(each for each in listed if each.name == name)
    declare(monkeypatch, listed)
    with pytest.raises(Refused, match="proxy-b: this LifeKeeper does not take"):
        up(pair, [thing])
    assert (pair.said, pair.tables()) == ([], before)
    pair.helps.clear()
    up(pair, [thing])
    assert pair.said != []


def without_a_path(inputs):
    for node in inputs.nodes.values():
        node.sides.popitem()


def without_ties(inputs):
    for node in inputs.nodes.values():
        node.depends_on.clear()


@pytest.mark.parametrize(("name", "edit"), [("paths", without_a_path), ("tree-address", without_ties)])
def test_nor_is_taken_back_what_is_no_longer_declared(name, edit, monkeypatch):
    pair, listed = fresh(), members()
    up(pair, listed)
    another_help(pair)
    pair.said.clear()
    thing = next(each for each in listed if each.name == name)
    last = thing.inputs.model_copy(deep=True)
    edit(thing.inputs)
    work = reconcile.apply(thing.kind, pair.cluster(name), thing.inputs, previous=last)
    declare(monkeypatch, listed)
    with pytest.raises(Refused, match="does not take"):
        asyncio.run(work)
    assert pair.said == []


def test_what_is_taken_away_does_not_depend_on_the_help_of_what_is_made(monkeypatch):
    pair, listed = fresh(), members(2)
    up(pair, listed)
    another_help(pair)
    declare(monkeypatch, listed)
    down(pair, listed)
    assert [lcd.instances for lcd in pair.lcds.values()] == [{}, {}]


def test_nobodys_help_is_asked_for_where_nothing_is_to_be_done(monkeypatch):
    pair, listed = fresh(), members()
    up(pair, listed)
    asked, answer = [], pair.answer
    monkeypatch.setattr(pair, "answer", lambda name, line: (asked.append(line.shell()), answer(name, line))[1])
    pair.said.clear()
    declare(monkeypatch, listed)
    assert asked == [], "a preview asks nobody"
    up(pair, listed)
    assert pair.said == []
    assert asked != []
    assert [line for line in asked if "--help" in line] == []


def test_in_a_run_each_node_is_asked_once_for_each_help(monkeypatch):
    pair, listed = Pair(), members()
    asked, answer = [], pair.answer

    def note(name, line):
        if line.argv[-1] == "--help":
            asked.append((name, line.shell()))
        return answer(name, line)

    monkeypatch.setattr(pair, "answer", note)

    async def at_once():
        await asyncio.gather(*(speaking.check_site(pair.cluster()) for _ in range(3)))
        for thing in listed:
            await reconcile.apply(thing.kind, pair.cluster(thing.name), thing.inputs)

    declare(monkeypatch, listed)
    asyncio.run(at_once())
    assert pair.said != []
    assert len(asked) == len(set(asked)) == 2 * len(listed[0].inputs.assumed)


@pytest.mark.parametrize("node", ["proxy-a", "proxy-b"])
def test_a_deletion_that_either_node_would_not_take_is_refused_while_all_is_tied(node):
    pair, listed = fresh(), members(2)
    up(pair, listed)
    before = {name: set(lcd.ties) for name, lcd in pair.lcds.items()}
    pair.helps[f"{node} lkcli resource delete"] = "Usage: lkcli resource delete --resource <tag>\n"
    with pytest.raises(Refused, match=f"{node}: this LifeKeeper does not take"):
        down(pair, listed)
    assert {name: set(lcd.ties) for name, lcd in pair.lcds.items()} == before


def test_a_disk_with_something_on_it_is_never_formatted():
    pair, listed = fresh(), members()
    pair.lcds["proxy-b"].signatures = '{"signatures": [{"type": "ext4", "label": "precious"}]}'
    with pytest.raises(Refused, match=r"proxy-b: .* is not blank: it carries ext4 precious"):
        up(pair, listed)
    assert not [line for _, line in pair.said if "create dk" in line]


def test_extending_needs_the_other_node_alive(monkeypatch):
    monkeypatch.setattr(steps, "ALIVE_LIMIT", 0.0)
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    pair.lcds["proxy-b"].paths.clear()
    with pytest.raises(Refused, match="proxy-b is DEAD"):
        up(pair, listed[2:])


@pytest.mark.parametrize("alive", [False, True])
def test_squid_is_stopped_on_the_standby_only_where_the_extension_follows(alive, monkeypatch):
    monkeypatch.setattr(steps, "ALIVE_LIMIT", 0.0)
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    for lcd in pair.lcds.values():
        lcd.units["squid.service"] = "active"
    if not alive:
        pair.lcds["proxy-b"].paths.clear()
    with contextlib.nullcontext() if alive else pytest.raises(Refused, match="proxy-b is DEAD"):
        up(pair, listed[2:])
    assert pair.lcds["proxy-b"].units["squid.service"] == ("inactive" if alive else "active")


def test_somebody_elses_change_is_waited_for_and_then_named():
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    pair.lcds["proxy-a"].flags.append("!action!123!456!proxy-a:create")
    with pytest.raises(TimedOut, match=r"!action!123"):
        up(pair, listed[2:])


def test_flags_that_cannot_be_read_are_not_taken_for_none(monkeypatch):
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    pair.said.clear()

    async def say_once():
        answers = iter([(0, ""), (1, "", "no shared memory")])
        monkeypatch.setattr(pair, "flg_list", lambda name, values: next(answers, (1, "")))
        line = speaking.Line("proxy-a", "dep_create", "", {"parent": "a", "child": "b"})
        for _ in range(2):
            await speaking.say(pair.cluster(), line)

    with pytest.raises(Unknown, match=r"proxy-a: `.*flg_list` says: .*exit code 1"):
        asyncio.run(say_once())
    assert [line.split()[0] for _, line in pair.said] == ["/opt/LifeKeeper/bin/dep_create"]


def test_a_code_becomes_a_sentence(monkeypatch):
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    monkeypatch.setattr(pair, "create", lambda name, kind, values: (9, "", "no answer"))
    with pytest.raises(CommandFailed, match=r"exit code 9\): see its output and /var/log/lifekeeper\.log"):
        up(pair, listed[2:])


@pytest.mark.thorough
def test_squid_is_never_left_dead_by_a_cut():
    listed = members(2)
    for position in drawn(12, 3):
        pair, seen = fresh(), []
        up(pair, listed[:2])
        pair.lcds["proxy-a"].units["squid.service"] = "active"

        def cut(_node, line, seen=seen, position=position):
            seen.append(line)
            if len(seen) == position + 1:
                raise Cut

        pair.after = cut
        try:
            up(pair, listed[2:])
        except Cut:
            assert pair.lcds["proxy-a"].units["squid.service"] == "active"


def test_the_node_that_runs_squid_gets_the_resources():
    pair, listed = fresh(), members(2)
    up(pair, listed[:2])
    pair.lcds["proxy-b"].units["squid.service"] = "active"
    up(pair, listed[2:])
    assert pair.lcds["proxy-b"].instances["qsp-squid"][4] == "ISP"
    assert pair.lcds["proxy-a"].units["squid.service"] == "inactive"


def test_a_mirror_that_comes_later_comes_to_where_the_service_is():
    pair = fresh()
    up(pair, members(2))
    asyncio.run(restore(pair, "proxy-b"))
    up(pair, members(3))
    assert {each[4] for each in pair.lcds["proxy-b"].instances.values()} == {"ISP"}


async def restore(pair, node):
    line = speaking.Line(node, "perform_action", "", {"tag": "ip-192.0.2.10", "action": "restore"})
    await speaking.say(pair.cluster(), line)


def test_lifekeeper_that_does_not_run_is_unknown_not_absent():
    pair, listed = fresh(), members(2)
    up(pair, listed)
    pair.lcds["proxy-b"].running = False
    with pytest.raises(Unknown, match="does not run"):
        differences(pair, listed[-1])
    assert any("running" in each for each in differences(pair, listed[0]))


def test_a_node_without_lifekeeper_is_told_what_to_do():
    pair, listed = fresh(), members(2)
    for lcd in pair.lcds.values():
        lcd.installed = False
    seen = asyncio.run(load_kind("lifekeeper.node").observe(pair.cluster(), listed[0].inputs))
    assert isinstance(seen, Absent)
    with pytest.raises(Refused, match=r"lifekeeper\.media"):
        up(pair, listed)
    up(pair, members(2, media="/mnt/sps"))


def test_an_info_string_with_the_separator_in_it_hides_no_state():
    row = ["a", "gen", "app", "tag", "id", "one", "two", "OSU", "AUTORES_ISP", "", "AUTOMATIC"]
    instance = views._instance(row, {})
    assert (instance.info, instance.state, instance.switchback) == ("one|two", "OSU", "automatic")


def test_a_node_whose_lifekeeper_stops_meanwhile_has_not_lost_what_it_had():
    pair = fresh()
    up(pair, members(2))

    def stop(_node, line):
        if "resource create" in line:
            pair.lcds["proxy-b"].running = False

    pair.after = stop
    pair.said.clear()
    with pytest.raises(Unknown, match=r"proxy-b.*LifeKeeper does not run"):
        up(pair, members(3))
    assert not [line for _, line in pair.said if "eqv_remove" in line]
    pair.after = lambda _node, _line: None
    pair.lcds["proxy-b"].running = True
    up(pair, members(3))
    assert [differences(pair, thing) for thing in members(3)] == [[] for _ in members(3)]


def test_what_one_node_made_is_not_found_on_one_that_was_replaced():
    pair, listed = fresh(), members(2)
    up(pair, listed)
    journals = pair.journals.opened
    for (node, _), journal in journals.items():
        if node == "proxy-b":
            journal.values.clear()
    up(pair, [each for each in listed if each.name == "paths"])
    pair.lcds["proxy-b"].instances.clear()
    pair.lcds["proxy-a"].stale = set(pair.lcds["proxy-a"].instances)
    up(pair, listed)
    assert {journals[node, "tree-squid"].values["made"] for node in pair.names} == {"yes"}


def test_a_licence_is_installed_on_no_node_that_ran_already_whatever_a_setting_needs():
    pair = fresh()
    for lcd in pair.lcds.values():
        lcd.running = True
    listed = members(2, license={"file": "/root/l"}, heartbeat={"interval": "3s", "misses": 9})
    up(pair, listed)
    assert [line for _, line in pair.said if "lkstop" in line], "the setting needs no stop"
    assert not [line for _, line in pair.said if "lkkeyins" in line]


@pytest.mark.parametrize(
    ("said", "again"), [("Admin Lock is held: !action!7", True), ("LifeKeeper Admin Lock (t) Released\nfailed", False)]
)
def test_only_a_held_admin_lock_is_waited_for(said: str, again: bool, monkeypatch: pytest.MonkeyPatch):
    answers = [(1, said), (0, "")]
    node = FakeNode("proxy-a", lambda asked: Result(asked, *answers.pop(0), ""))
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 5.0)
    line = speaking.system("proxy-a", "page", "true")
    with contextlib.nullcontext() if again else pytest.raises(CommandFailed, match="Released"):
        asyncio.run(speaking.say_plainly(fake_cluster(node), line))
    assert len(answers) == (0 if again else 1)


def test_an_admin_lock_that_is_never_released_is_named_with_how_long_it_was_waited_for(monkeypatch: pytest.MonkeyPatch):
    node = FakeNode("proxy-a", lambda asked: Result(asked, 1, "Admin Lock is held: !action!7", ""))
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 0.0)
    line = speaking.system("proxy-a", "page", "true")
    with pytest.raises(TimedOut, match=r"proxy-a: somebody else .* for 0 s: Admin Lock is held: !action!7"):
        asyncio.run(speaking.say_plainly(fake_cluster(node), line))
