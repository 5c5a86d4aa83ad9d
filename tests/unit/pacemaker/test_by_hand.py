"""A pair that somebody has built with pcs or crm is operated like one of this program's: other names, groups, sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import alone, live, monitor, move, runtime, service
from providers.pacemaker.cib import Cib, Tie
from providers.pacemaker.model import Location
from tests.unit.pacemaker import by_hand
from tests.unit.pacemaker.acting import Acting
from tests.unit.pacemaker.simulation import SimulatedCluster
from tests.unit.pacemaker.tools import Tools

GROUPED = Cib.parse(by_hand.GROUPED)
IN_STEP = """\
exists resource name:r0 role:Primary suspended:no
exists connection name:r0 connection:Connected role:Secondary
exists device name:r0 volume:0 minor:0 disk:UpToDate size:5242684
exists peer-device name:r0 volume:0 replication:Established peer-disk:UpToDate out-of-sync:0
exists -
"""
LONE = by_hand.FS_LOGS + by_hand.PROXY + by_hand.VIP + by_hand.CLONE
"""The same resources without a group."""


def ties(constraints: str, resources: str = LONE) -> set[tuple[str, str]]:
    return {(tie.upper, tie.lower) for tie in by_hand.cib(resources, constraints).ties()}


def colocation(sets: str, score: str = "INFINITY") -> str:
    return f'<rsc_colocation id="c" score="{score}">{sets}</rsc_colocation>'


def resources(number: int, *names: str, more: str = "") -> str:
    named = "".join(f'<resource_ref id="{name}"/>' for name in names)
    return f'<resource_set id="s{number}" {more}>{named}</resource_set>'


# Who stands on whom


def test_the_members_of_a_group_stand_on_each_other_and_its_first_one_on_the_promoted_mirror() -> None:
    assert GROUPED.ties() == [
        Tie("proxy", "fs_logs", must=True),
        Tie("vip", "proxy", must=True),
        Tie("fs_logs", "drbd_logs", must=True),
    ]


def test_what_is_tied_to_a_group_stands_on_its_last_member() -> None:
    tie = '<rsc_colocation id="c" rsc="vip" with-rsc="g" score="+INFINITY"/>'
    group = f'<group id="g">{by_hand.FS_LOGS}{by_hand.PROXY}</group>'
    assert ties(tie, group + by_hand.VIP) == {("proxy", "fs_logs"), ("vip", "proxy")}


def test_in_a_set_each_stands_on_the_one_before_it_and_a_set_on_the_last_one_of_the_next() -> None:
    both = resources(1, "proxy", "vip") + resources(2, "drbd_logs-clone", "fs_logs", more='role="Started"')
    assert ties(colocation(both)) == {("vip", "proxy"), ("fs_logs", "drbd_logs"), ("proxy", "fs_logs")}


def test_the_members_of_a_set_without_an_order_stand_each_on_the_next_set_and_not_on_each_other() -> None:
    loose = 'sequential="false"'
    upper, lower = resources(1, "proxy", "vip", more=loose), resources(2, "drbd_logs-clone", "fs_logs")
    assert ties(colocation(upper + lower)) == {("fs_logs", "drbd_logs"), ("proxy", "fs_logs"), ("vip", "fs_logs")}
    lower = resources(2, "drbd_logs-clone", "fs_logs", more=loose)
    assert ties(colocation(upper + lower)) == {
        (upper, lower) for upper in ("proxy", "vip") for lower in ("drbd_logs", "fs_logs")
    }
    assert ties(colocation(upper)) == set()


@pytest.mark.parametrize(
    "tie",
    [
        '<rsc_colocation id="c" rsc="vip" with-rsc="proxy" score="-INFINITY"/>',
        '<rsc_colocation id="c" rsc="vip" with-rsc="proxy" score="0"/>',
        '<rsc_colocation id="c" rsc="vip" with-rsc="proxy"/>',
        '<rsc_colocation id="c" rsc="vip" with-rsc="drbd_logs-clone" with-rsc-role="Slave" score="INFINITY"/>',
        colocation(resources(1, "vip") + resources(2, "drbd_logs-clone", more='role="Unpromoted"')),
        colocation(resources(1, "vip", "proxy"), score="-INFINITY"),
    ],
)
def test_what_keeps_away_from_the_service_or_stays_on_the_other_node_does_not_stand_on_it(tie: str) -> None:
    assert ties(tie) == set()


def test_what_would_only_rather_be_where_the_service_is_is_no_member() -> None:
    backup = '<primitive id="backup" class="systemd" type="backup"/>'
    rather = '<rsc_colocation id="r" rsc="backup" with-rsc="proxy-group" score="500"/>'
    with_backup = by_hand.cib(backup + by_hand.GROUP + by_hand.CLONE, by_hand.WITH_PROMOTED + rather)
    assert Tie("backup", "vip", must=False) in with_backup.ties()
    assert list(service.service(with_backup)) == by_hand.MEMBERS


# What the service is


def test_a_service_in_a_group_is_found_with_its_mirror_from_the_bottom_up() -> None:
    assert list(service.service(GROUPED)) == by_hand.MEMBERS
    assert service.ids(GROUPED) == {*by_hand.MEMBERS, "proxy-group", "drbd_logs-clone"}
    assert service.base(GROUPED) == ("drbd_logs-clone", True)


def test_a_service_tied_by_sets_is_found_in_the_same_order() -> None:
    sets = colocation(resources(1, "fs_logs", "proxy", "vip") + resources(2, "drbd_logs-clone", more='role="Promoted"'))
    assert list(service.service(by_hand.cib(LONE, sets))) == by_hand.MEMBERS


def test_the_older_form_of_a_promotable_resource_is_one() -> None:
    master = by_hand.CLONE.replace("<clone", "<master").replace("</clone", "</master").replace("promotable", "notify-x")
    older = by_hand.cib(by_hand.GROUP + master, by_hand.WITH_PROMOTED.replace("Promoted", "Master"))
    assert list(service.service(older)) == by_hand.MEMBERS
    assert service.base(older) == ("drbd_logs-clone", True)
    found = older.find("drbd_logs")
    assert found.primitive is not None
    assert found.clone is not None
    assert found.clone.meta["promotable"] == "true"
    changed = older.with_member(found.primitive, found.clone).text()
    assert (changed.count('id="drbd_logs-clone"'), changed.count("<master")) == (1, 0)


def test_without_a_mirror_the_whole_group_is_what_moves() -> None:
    shared = by_hand.cib(by_hand.GROUP, "")
    assert service.base(shared) == ("proxy-group", False)


def test_what_has_only_a_helper_on_every_node_in_common_with_the_service_is_no_member() -> None:
    helper = '<clone id="ping-clone"><primitive id="ping" class="ocf" provider="pacemaker" type="ping"/></clone>'
    database = '<primitive id="db" class="systemd" type="postgresql"/>'
    tied = "".join(
        f'<rsc_colocation id="{name}-ping" rsc="{name}" with-rsc="ping-clone" score="INFINITY"/>'
        for name in ("proxy-group", "db")
    )
    pair = by_hand.cib(by_hand.GROUP + by_hand.CLONE + helper + database, by_hand.WITH_PROMOTED + tied)
    assert set(service.service(pair)) == set(by_hand.MEMBERS)


def test_a_cloned_group_runs_on_every_node_and_is_no_member() -> None:
    helpers = (
        '<clone id="locking-clone"><group id="locking"><primitive id="dlm" class="ocf" provider="pacemaker" '
        'type="controld"/><primitive id="watch" class="systemd" type="watch"/></group></clone>'
    )
    tied = '<rsc_colocation id="l" rsc="fs_logs" with-rsc="locking-clone" score="INFINITY"/>'
    pair = by_hand.cib(by_hand.GROUP + by_hand.CLONE + helpers, by_hand.WITH_PROMOTED + tied)
    assert set(service.service(pair)) == set(by_hand.MEMBERS)
    assert pair.around("watch") == ["locking", "locking-clone"]
    assert ("fs_logs", "watch") in {(tie.upper, tie.lower) for tie in pair.ties()}


def test_the_filesystem_on_the_mirror_is_the_one_with_its_logs() -> None:
    other = by_hand.FS_LOGS.replace("fs_logs", "fs_web").replace("/dev/drbd0", "web:/").replace("/srv/proxy", "/srv/w")
    first = by_hand.cib(f'<group id="g">{other}{by_hand.FS_LOGS}{by_hand.PROXY}</group>', "")
    assert service.mount_point(first) == "/srv/proxy"
    assert service.mount_point(GROUPED) == "/srv/proxy"
    assert service.mount_point(by_hand.cib(by_hand.PROXY, "")) is None


# What Pacemaker's own scheduler makes of it


SETS = by_hand.text(
    by_hand.FENCE + by_hand.VIP + by_hand.PROXY + by_hand.FS_LOGS + by_hand.CLONE,
    colocation(resources(1, "fs_logs", "proxy", "vip") + resources(2, "drbd_logs-clone", more='role="Promoted"'))
    + '<rsc_order id="o"><resource_set id="o1" action="promote"><resource_ref id="drbd_logs-clone"/></resource_set>'
    '<resource_set id="o2" action="start"><resource_ref id="fs_logs"/><resource_ref id="proxy"/>'
    '<resource_ref id="vip"/></resource_set></rsc_order>',
)
SHARED = by_hand.text(by_hand.FENCE + by_hand.GROUP, "")


@pytest.mark.parametrize(
    "text",
    [by_hand.GROUPED, SETS, SHARED],
    ids=["group", "sets", "group without a mirror"],
)
async def test_what_the_base_prefers_takes_the_whole_service_along(tools: Tools, tmp_path: Path, text: str) -> None:
    simulated = SimulatedCluster.fresh(tools, tmp_path / "cib.xml")
    simulated.file.write_text(text)
    simulated.set_attribute("master-drbd_logs", {"qsp-a": "10000", "qsp-b": "10000"})
    cluster = simulated.cluster("look")
    before = await live.read(cluster)
    home = service.active(before)
    assert home is not None, service.where(before)
    there = "qsp-a" if home == "qsp-b" else "qsp-b"
    outer, promoted = service.base(before.cib)
    prefer = Location(resource=outer, score="INFINITY", node=there, role="Promoted" if promoted else "Started")
    await live.change(cluster, lambda now: now.cib.with_constraints({f"cli-prefer-{outer}": prefer}))
    after = await live.read(cluster)
    assert service.arrived(after, there), service.where(after)
    assert move.moving(after)
    assert {name for name, what, _ in simulated.actions if what == "stop"} >= {"fs_logs", "proxy", "vip"}


# What operators do


def grouped() -> Acting:
    return Acting(cib=by_hand.GROUPED, mon=by_hand.MON)


def test_what_runs_in_a_group_is_seen() -> None:
    seen = monitor.parse(by_hand.MON)
    assert [seen.running(name) for name in ("fs_logs", "proxy", "vip")] == [["qsp-a"]] * 3
    assert seen.running("drbd_logs", promoted=True) == ["qsp-a"]


async def test_status_names_the_members_as_the_cluster_does() -> None:
    tree = await runtime.tree(fake_cluster(*grouped().nodes()))
    assert tree.active == "qsp-a"
    assert {name: states["qsp-a"] for name, states in tree.states.items()} == {
        "drbd_logs": "Promoted", "fs_logs": "Started", "proxy": "Started", "vip": "Started",
    }  # fmt: skip
    assert list(tree.states) == by_hand.MEMBERS


async def test_a_switchover_moves_the_promoted_clone_and_all_is_there() -> None:
    pair = grouped()
    pair.mirror = IN_STEP
    await runtime.switchover(fake_cluster(*pair.nodes()), "qsp-b")
    assert pair.said[0].endswith("crm_resource --move drbd_logs-clone --node qsp-b")


async def test_bans_of_a_group_are_the_services_and_cleanup_takes_them_back() -> None:
    pair = grouped()
    ban = Location(resource="proxy-group", score="-INFINITY", node="qsp-b", role="Started")
    name = "cli-ban-proxy-group-on-qsp-b"
    pair.cib = Cib.parse(pair.cib).with_constraints({name: ban}).text()
    cluster = fake_cluster(*pair.nodes())
    assert [(each.kind, each.member) for each in await runtime.notices(cluster)] == [("ban", "proxy-group")]
    await runtime.cleanup(cluster)
    assert name not in pair.cib


def with_meta(name: str, value: str) -> str:
    """The pair, with a meta attribute on its group."""
    pair = f'<nvpair id="proxy-group-meta_attributes-{name}" name="{name}" value="{value}"/>'
    meta = f'<meta_attributes id="proxy-group-meta_attributes">{pair}</meta_attributes></group>'
    return by_hand.GROUPED.replace("</group>", meta)


async def test_a_group_that_was_told_to_stop_is_told_of_once() -> None:
    pair = grouped()
    pair.cib = with_meta("target-role", "Stopped")
    (notice,) = await runtime.notices(fake_cluster(*pair.nodes()))
    assert (notice.kind, notice.member) == ("ban", "fs_logs, proxy, vip")
    assert "`crm_resource --resource proxy-group --meta --delete-parameter target-role`" in notice.text


async def test_a_service_that_sticks_by_its_groups_word_is_forbidden_the_old_node() -> None:
    """A preference alone would not move it."""
    pair = grouped()
    pair.mirror = IN_STEP
    pair.cib = with_meta("resource-stickiness", "INFINITY")
    moving: list[Command] = []

    def answer(command: Command) -> Result | str:
        if command.argv[0] == "systemd-run":
            moving.append(command)
        return pair.answer(command)

    await runtime.switchover(fake_cluster(*(FakeNode(name, answer) for name in ("qsp-a", "qsp-b"))), "qsp-b")
    assert "--force" in moving[0].argv


async def test_a_failure_bans_a_member_by_the_threshold_of_its_group() -> None:
    pair = grouped()
    failure = (
        '<failures><failure op_key="proxy_monitor_60000" node="qsp-b" exitstatus="error" exitreason="" exitcode="1" '
        'call="6" status="complete" last-rc-change="2026-11-22 14:32:27Z" interval="60000" task="monitor"/></failures>'
    )
    history = '<node_history><node name="qsp-b"><resource_history id="proxy" fail-count="1"/></node></node_history>'
    pair.mon = pair.mon.replace("<failures></failures>", history + failure)
    for threshold, kind in (("1", "ban"), ("2", "failure")):
        pair.cib = with_meta("migration-threshold", threshold)
        notices = await runtime.notices(fake_cluster(*pair.nodes()))
        assert [(each.kind, each.member) for each in notices] == [(kind, "proxy")]


# The mirror by its own name


class Named:
    """Both nodes: the cluster runs, or does not; each command about DRBD is written down."""

    def __init__(self, *, running: bool) -> None:
        self.running = running
        self.said: list[str] = []

    def answer(self, command: Command) -> Result | str:
        if command.argv == ("cat", "/var/lib/pacemaker/cib/cib.xml"):
            return by_hand.GROUPED
        if command.argv[0] in {"cibadmin", "crm_mon"}:
            known = by_hand.GROUPED if command.argv[0] == "cibadmin" else by_hand.MON
            return known if self.running else Result(command, 102, "", "Connection refused")
        self.said.append(str(command))
        return IN_STEP if "events2" in str(command) else ""

    def nodes(self) -> list[FakeNode]:
        return [FakeNode(name, self.answer) for name in ("qsp-a", "qsp-b")]


@pytest.mark.parametrize("running", [True, False], ids=["the cluster runs", "the cluster is stopped"])
async def test_the_mirror_is_asked_for_by_the_name_that_the_cluster_has_for_it(running: bool) -> None:
    pair = Named(running=running)
    views = await runtime.mirror(fake_cluster(*pair.nodes()))
    assert pair.said == ["drbdsetup events2 --now r0"] * 2
    assert {name: view.whole for name, view in views.items()} == {"qsp-a": True, "qsp-b": True}


async def test_a_node_that_does_not_answer_hides_nothing_of_the_mirror_on_the_other() -> None:
    def silent(command: Command) -> str:
        raise Unreachable("no answer", node="qsp-b")

    cluster = fake_cluster(FakeNode("qsp-a", Named(running=False).answer), FakeNode("qsp-b", silent))
    views = await runtime.mirror(cluster)
    assert views["qsp-a"].whole
    assert "no answer" in views["qsp-b"].trouble


async def test_a_split_brain_is_looked_for_and_ended_on_the_services_own_mirror() -> None:
    pair = Named(running=True)
    assert await runtime.split_brain(fake_cluster(*pair.nodes())) is None
    about = [said for said in pair.said if "crm_attribute" not in said]
    assert about
    assert all("r0" in said or "kernel" in said for said in about)
    pair.said.clear()
    await runtime.resolve(fake_cluster(*pair.nodes()), "qsp-b", nothing)
    assert pair.said
    assert not any("squid-ha" in said for said in pair.said)


async def nothing() -> None:
    """Nothing has to be saved."""


async def test_logs_are_saved_from_the_disk_below_the_services_own_mirror() -> None:
    copies: list[Command] = []

    def answer(command: Command) -> Result | str:
        if command.argv[0] == "mountpoint":
            return Result(command, 32, "", "")
        copies.append(command)
        return Named(running=True).answer(command)

    cluster = fake_cluster(*(FakeNode(name, answer) for name in ("qsp-a", "qsp-b")))
    await runtime.save_logs(cluster, "qsp-b", "squid", "/var/saved")
    assert copies[-1].argv[-3:] == ("drbdadm", "sh-ll-dev", "r0")


async def test_a_node_that_starts_alone_asks_its_own_copy_which_half_must_not_be_old() -> None:
    pair = Named(running=False)

    def answer(command: Command) -> Result | str:
        behind = "240B8474F5F30D70:0000000000000000:53D5B756191BEFD1:53D4B756191BEFD1:1:0:0:1:0:0:0"
        return behind if "get-gi r0" in str(command) else pair.answer(command)

    with pytest.raises(live.Refused, match="primary --force r0"):
        await alone.start_alone(fake_cluster(FakeNode("qsp-b", answer)), "qsp-b")
    assert pair.said == []


def test_a_member_that_is_put_back_as_it_was_found_stays_in_its_group() -> None:
    excerpt = GROUPED.excerpt("proxy", [])
    primitive = GROUPED.find("proxy").primitive
    assert primitive is not None
    changed = GROUPED.with_member(primitive.model_copy(update={"agent": "ocf:heartbeat:Squid"}), None)
    assert list(service.service(changed)) == by_hand.MEMBERS
    assert changed.restored(excerpt).text() == GROUPED.text()
