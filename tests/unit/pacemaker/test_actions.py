"""A node aside and back, maintenance mode, cleanup, notices: each reads first, changes only what differs, verifies."""

from __future__ import annotations

import re
from typing import Any

import pytest

from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.errors import HostError, NotVerified, Refused, SudoRefused, TimedOut, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import actions, live, runtime
from providers.pacemaker.model import Expression, Location, Primitive
from providers.pacemaker.options import SECTIONS
from tests.unit.pacemaker.acting import Acting, with_failure


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits in vain gives up at once."""
    monkeypatch.setattr(actions, "SLACK", -100_000.0)
    monkeypatch.setattr(live, "pause", lambda took: 0.0)


IN_STEP = """\
exists resource name:squid-ha role:Secondary suspended:no
exists connection name:squid-ha connection:Connected role:Secondary
exists device name:squid-ha volume:0 minor:0 disk:UpToDate size:5242684
exists peer-device name:squid-ha volume:0 replication:Established peer-disk:UpToDate out-of-sync:0
exists -
"""


def kinds(acting: Acting) -> list[str]:
    return [said.split()[0] for said in acting.said]


async def test_the_standby_node_goes_aside_and_comes_back_and_again_changes_nothing() -> None:
    acting = Acting()
    cluster = fake_cluster(*acting.nodes())
    for _ in range(2):
        await runtime.aside(cluster, "qsp-a")
        assert acting.said == ["crm_attribute --node qsp-a --name standby --update on"]
    notices = await runtime.notices(cluster)
    assert [(each.kind, each.node) for each in notices] == [("standby", "qsp-a")]
    acting.said.clear()
    for _ in range(2):
        await runtime.back(cluster, "qsp-a")
        assert acting.said == [
            "crm_attribute --node qsp-a --name standby --delete",
            "crm_attribute --node qsp-a --name standby --lifetime reboot --delete",
        ]
    assert await runtime.notices(cluster) == []


async def test_a_node_that_the_cluster_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="knows no such node"):
        await runtime.aside(fake_cluster(*Acting().nodes()), "qsp-c")


async def test_a_change_without_effect_is_an_error() -> None:
    acting = Acting(deaf=True)
    cluster = fake_cluster(*acting.nodes())
    with pytest.raises(TimedOut, match="nothing runs on qsp-a"):
        await runtime.aside(cluster, "qsp-a")
    acting.deaf = False
    acting.standby("qsp-a", on=True)
    acting.deaf = True
    with pytest.raises(TimedOut, match="qsp-a takes part again"):
        await runtime.back(cluster, "qsp-a")


async def test_the_active_node_is_left_before_it_goes_aside() -> None:
    acting = Acting()
    cluster = fake_cluster(*acting.nodes())
    acting.mon = acting.mon.replace('online="true"', 'online="false"', 1)
    with pytest.raises(Refused, match="qsp-a: this node cannot take the service over now"):
        await runtime.aside(cluster, "qsp-b")
    assert acting.said == []


async def test_the_active_node_is_left_by_the_reading_that_was_just_made() -> None:
    acting = Acting()
    acting.mon = acting.mon.replace('online="true"', 'online="false"', 1)
    first, second = acting.nodes()
    with pytest.raises(Refused):
        await runtime.aside(fake_cluster(first, second), "qsp-b")
    assert [each == live.query() for each in (*first.commands, *second.commands)].count(True) == 1


async def test_the_active_node_is_aside_before_what_moved_the_service_is_taken_away(monkeypatch) -> None:
    """Without stickiness it would be back at once, and the node could not be put aside."""
    acting = Acting()

    async def emptied(cluster: Cluster, *_: object, **__: object) -> live.Live:
        return await live.read(cluster)

    monkeypatch.setattr(live, "wait", emptied)
    await runtime.aside(fake_cluster(*acting.nodes()), "qsp-b")
    moved, aside, ended = (
        next(place for place, said in enumerate(acting.said) if word in said)
        for word in ("crm_resource --move", "crm_attribute", "systemctl stop")
    )
    assert moved < aside < ended


async def test_a_victim_that_was_left_by_a_run_that_was_cut_off_comes_back_and_one_put_aside_does_not() -> None:
    acting = Acting()
    acting.standby("qsp-a", on=True)
    await actions.end_leave(fake_cluster(*acting.nodes()))
    assert acting.said == []

    def left(command: Command) -> Result | str:
        query = {"--query", "reboot", "qsp-a"} <= set(command.argv)
        return "on\n" if query else acting.answer(command)

    await actions.end_leave(fake_cluster(*(FakeNode(name, left) for name in ("qsp-a", "qsp-b"))))
    assert acting.said[-1] == "crm_attribute --node qsp-a --name standby --lifetime reboot --delete"


@pytest.mark.parametrize("action", [runtime.aside, runtime.back])
async def test_in_maintenance_mode_nothing_would_happen(action) -> None:
    acting = Acting()
    if action is runtime.back:
        acting.standby("qsp-a", on=True)
    acting.mon = acting.mon.replace('maintenance-mode="false"', 'maintenance-mode="true"')
    with pytest.raises(Refused, match="maintenance"):
        await action(fake_cluster(*acting.nodes()), "qsp-a")
    assert acting.said == []


async def test_maintenance_mode_begins_and_ends_and_leaves_nothing_in_the_configuration() -> None:
    acting = Acting()
    cluster = fake_cluster(*acting.nodes())
    before = acting.cib.partition("<status")[0].split()
    for _ in range(2):
        await runtime.maintenance(cluster, on=True)
        assert len(acting.said) == 1
    assert [each.kind for each in await runtime.notices(cluster)] == ["maintenance"]
    with pytest.raises(Refused, match="maintenance"):
        await runtime.switchover(cluster, "qsp-a")
    for _ in range(2):
        await runtime.maintenance(cluster, on=False)
        assert len(acting.said) == 2
    assert acting.cib.partition("<status")[0].split() == before


async def test_maintenance_mode_that_another_set_decides_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = live.wait

    async def brief(cluster, condition, *, limit, doing):
        return await real(cluster, condition, limit=-1, doing=doing)

    monkeypatch.setattr(live, "wait", brief)
    with pytest.raises(NotVerified, match="still off"):
        await runtime.maintenance(fake_cluster(*Acting(deaf=True).nodes()), on=True)


def fence_off_qsp_a(acting: Acting) -> None:
    """As DRBD's fencing does on the node that goes on alone."""
    fence = Location(
        resource="mirror-clone",
        score="-INFINITY",
        role="Promoted",
        rule=[Expression(attribute="#uname", operation="ne", value="qsp-b")],
    )
    cib = live.Cib.parse(acting.cib)
    mirror = cib.find("mirror")
    assert mirror.primitive is not None
    drbd = mirror.primitive.model_copy(update={"parameters": {"drbd_resource": "squid-ha"}})
    name = "drbd-fence-by-handler-squid-ha-mirror-clone"
    acting.cib = cib.with_member(drbd, mirror.clone).with_constraints({name: fence}).text()


async def test_cleanup_forgets_failures_and_takes_back_what_tools_left() -> None:
    acting = with_failure(Acting())
    left = Location(resource="mirror-clone", score="-INFINITY", node="qsp-a")
    fence_off_qsp_a(acting)
    acting.cib = live.Cib.parse(acting.cib).with_constraints({"cli-ban-mirror-clone-on-qsp-a": left}).text()
    cluster = fake_cluster(*acting.nodes())

    notices = await runtime.notices(cluster)
    assert [(each.kind, each.node, each.member) for each in notices] == [
        ("failure", "qsp-a", "squid"),
        ("failure", "qsp-b", "squid"),
        ("fence", "qsp-b", "mirror-clone"),
        ("ban", "qsp-a", "mirror-clone"),
    ]
    assert notices[1].text == "squid failed on qsp-b (2 times)"
    for _ in range(2):
        await runtime.cleanup(cluster)
        assert [each.split()[0] for each in acting.said] == ["crm_verify,", "crm_resource"]
    assert [each.kind for each in await runtime.notices(cluster)] == ["fence"], "the other half has not caught up"
    acting.mirror = IN_STEP
    await runtime.cleanup(cluster)
    assert await runtime.notices(cluster) == [], "the node could never take over, though its half is up to date"


@pytest.mark.parametrize("silence", [Unreachable, TimedOut, SudoRefused])
async def test_failures_are_forgotten_while_the_other_node_does_not_answer_and_its_half_stays_fenced_off(
    silence: type[HostError],
) -> None:
    acting = with_failure(Acting(mirror=IN_STEP))
    fence_off_qsp_a(acting)

    def answer(command: Command) -> Result | str:
        raise silence("it does not tell", node="qsp-a")

    cluster = fake_cluster(FakeNode("qsp-b", acting.answer), FakeNode("qsp-a", answer))
    await runtime.cleanup(cluster)
    assert acting.said == ["crm_resource --cleanup"]
    assert [each.kind for each in await runtime.notices(cluster)] == ["fence"]


async def test_what_binds_somebody_elses_resource_is_left_and_is_no_ban_of_the_service() -> None:
    acting = with_failure(Acting())
    ban = Location(resource="db", score="-INFINITY", node="qsp-a")
    cib = live.Cib.parse(acting.cib).with_member(Primitive(id="db", agent="ocf:heartbeat:Dummy"), None)
    acting.cib = cib.with_constraints({"cli-ban-db-on-qsp-a": ban}).text()
    cluster = fake_cluster(*acting.nodes())
    assert ("constraint", "db") in [(each.kind, each.member) for each in await runtime.notices(cluster)]
    await runtime.cleanup(cluster)
    assert "cli-ban-db-on-qsp-a" in acting.cib


@pytest.mark.parametrize(
    ("default", "own", "failures", "kind"),
    [
        ("3", None, 2, "failure"),
        ("3", None, 3, "ban"),
        ("3", "5", 3, "failure"),
        ("3", "INFINITY", 1_000_000, "ban"),
        (None, None, 999_999, "failure"),
        (None, None, 1_000_000, "ban"),
        ("0", None, 1_000_000, "failure"),
    ],
)
async def test_failures_that_keep_a_member_off_a_node_are_told_apart(
    default: str | None, own: str | None, failures: int, kind: str
) -> None:
    acting = with_failure(Acting())
    acting.mon = acting.mon.replace('fail-count="2"', f'fail-count="{failures}"')
    name, section = "migration-threshold", SECTIONS["resource_defaults"]
    cib = live.Cib.parse(acting.cib).with_options(
        *section, {name: default} if default else {}, drop=() if default else (name,)
    )
    acting.cib = cib.with_meta("squid", name, own).text() if own else cib.text()
    found = {each.node: each for each in await runtime.notices(fake_cluster(*acting.nodes()))}
    assert found["qsp-b"].kind == kind
    assert ("does not run on qsp-b" in found["qsp-b"].text) == (kind == "ban")


def stopped(acting: Acting, *members: str) -> None:
    """As crm_mon tells of what runs nowhere."""
    for name in members:
        acting.mon = re.sub(
            rf'(<resource id="{name}" [^>]*role=")Started("[^>]*)>.*?</resource>',
            r"\1Stopped\2/>",
            acting.mon,
            flags=re.DOTALL,
        )


@pytest.mark.parametrize(
    ("told", "members", "undo"),
    [
        ("squid", "squid", "crm_resource --resource squid --meta --delete-parameter target-role"),
        ("mirror", "mirror", "crm_resource --resource mirror-clone --meta --delete-parameter target-role"),
        (
            "rsc_defaults",
            "mirror, filesystem, squid, address",
            "crm_attribute --type rsc_defaults --name target-role --delete",
        ),
        ("crm_config", "", "crm_attribute --type crm_config --name stop-all-resources --delete"),
    ],
)
async def test_a_service_that_was_told_to_stop_has_a_reason_and_cleanup_does_not_hide_it(
    told: str, members: str, undo: str
) -> None:
    acting = Acting(mirror=IN_STEP)
    stopped(acting, "squid", "address")
    cib = live.Cib.parse(acting.cib)
    if told == "crm_config":
        cib = cib.with_options(*SECTIONS["properties"], {"stop-all-resources": "true"})
    elif told == "rsc_defaults":
        cib = cib.with_options(*SECTIONS["resource_defaults"], {"target-role": "Stopped"})
    else:
        cib = cib.with_meta(told, "target-role", "Stopped")
    acting.cib = cib.text()
    cluster = fake_cluster(*acting.nodes())
    await runtime.cleanup(cluster)
    (notice,) = await runtime.notices(cluster)
    assert (notice.kind, notice.member) == ("ban", members)
    assert notice.text.endswith(f"to take it back: `{undo}`")


async def test_a_member_that_shall_run_is_not_told_to_stop_by_what_holds_for_others() -> None:
    acting = Acting()
    cib = live.Cib.parse(acting.cib).with_options(*SECTIONS["resource_defaults"], {"target-role": "Stopped"})
    for member in ("mirror", "filesystem", "squid", "address"):
        cib = cib.with_meta(member, "target-role", "Started")
    acting.cib = cib.with_options(*SECTIONS["properties"], {"stop-all-resources": "false"}).text()
    assert await runtime.notices(fake_cluster(*acting.nodes())) == []


async def test_a_node_that_is_not_seen_is_told_of_and_one_that_is_a_cluster_by_itself_the_more() -> None:
    whole = Acting()
    half = Acting(mon=re.sub('(name="qsp-a" id="1" online=)"true"', r'\1"false"', whole.mon))
    other = Acting(mon=re.sub('(name="qsp-b" id="2" online=)"true"', r'\1"false"', whole.mon))
    gone = FakeNode("qsp-a", lambda command: Result(command, 102, "", "not connected"))
    active = FakeNode("qsp-b", half.answer)
    (notice,) = await runtime.notices(fake_cluster(active, gone))
    assert (notice.kind, notice.node) == ("apart", "qsp-a")
    assert "takes no part" in notice.text
    (notice,) = await runtime.notices(fake_cluster(active, FakeNode("qsp-a", other.answer)))
    assert "a cluster by itself and may start the service too" in notice.text
    serving = Acting(
        mon=other.mon.replace('<node name="qsp-b" id="2" cached="true"/>', '<node name="qsp-a" id="1" cached="true"/>')
    )
    (notice,) = await runtime.notices(fake_cluster(active, FakeNode("qsp-a", serving.answer)))
    assert "a cluster by itself and runs mirror, filesystem, squid, address too" in notice.text


async def test_cleanup_says_what_fails_again() -> None:
    acting = with_failure(Acting(deaf=True))
    with pytest.raises(NotVerified, match="it fails again: monitor of squid on qsp-a ended with 'error': gone"):
        await runtime.cleanup(fake_cluster(*acting.nodes()))


async def test_cleanup_waits_for_a_switchover_to_end() -> None:
    acting = with_failure(Acting(unit="active", unit_on="qsp-a"))
    with pytest.raises(Refused, match="qsp-a: a switchover is under way"):
        await runtime.cleanup(fake_cluster(*acting.nodes()))
    assert acting.said == []


async def test_cleanup_ends_what_an_interrupted_switchover_has_left_where_the_service_arrived() -> None:
    acting = with_failure(Acting(unit="active", unit_on="qsp-b"))
    await runtime.cleanup(fake_cluster(*acting.nodes()))
    assert acting.said == ["systemctl stop squid-ha-switchover.service", "crm_resource --cleanup"]


async def test_nothing_is_thrown_away_before_what_a_serving_victim_recorded_is_saved(monkeypatch) -> None:
    order: list[str] = []

    def notes(what: str, answer: Any = None):
        async def note(*_: object) -> Any:
            order.append(what)
            return answer

        return note

    monkeypatch.setattr(runtime.live, "read", notes("read"))
    monkeypatch.setattr(runtime, "active", lambda _current: "qsp-a")
    monkeypatch.setattr(runtime, "leave", notes("leave"))
    monkeypatch.setattr(runtime.split, "split_brain", notes("look", "apart"))
    monkeypatch.setattr(runtime.split, "resolve", notes("throw away"))
    cluster = fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b"))
    await runtime.resolve(cluster, "qsp-a", notes("save"))
    assert order == ["read", "look", "leave", "save", "throw away"]
    order.clear()
    await runtime.resolve(cluster, "qsp-b", notes("save"))
    assert order == ["read", "throw away"]
