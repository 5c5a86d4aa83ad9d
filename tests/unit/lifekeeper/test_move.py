"""A service is not moved away from a node that cannot tell how the mirror is."""

import asyncio
from typing import cast

import pytest

from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, Refused, TimedOut, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import runtime, split, views
from providers.storage import marks
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.test_plan_and_runtime import in_step

A, B = "proxy-a", "proxy-b"
RESTORE = (B, "/opt/LifeKeeper/bin/perform_action -t ip-192.0.2.10 -a restore")
MDSTAT, ALL = "read the mirror's state", ""


def troubled(pair: Pair, error: Exception, what: str, name: str = A) -> Cluster:
    """A node that does not answer what it is asked, or nothing at all; LifeKeeper on the other one hears it."""

    def answer(node: str, command: Command) -> Result:
        if node == name and command.label.startswith(what):
            raise error
        return pair.answer(node, command)

    nodes = [FakeNode(each, lambda command, each=each: answer(each, command)) for each in (A, B)]
    return fake_cluster(*nodes, journals=pair.journals, progress=pair.progress.append)


TROUBLES = [
    pytest.param(TimedOut("did not end within 60 s", node=A), MDSTAT, "did not end within 60 s", id="slow"),
    pytest.param(CommandFailed(A, "cat /proc/mdstat", 1, "gone"), MDSTAT, "`cat /proc/mdstat` ended", id="unreadable"),
    pytest.param(Unreachable("no route to host", node=A), ALL, "no route to host", id="unreachable"),
]


@pytest.mark.parametrize(("error", "what", "told"), TROUBLES)
def test_nothing_moves_while_the_source_does_not_tell_whether_its_target_is_in_step(error, what, told):
    pair = in_step()
    with pytest.raises(Refused) as refused:
        asyncio.run(runtime.switchover(troubled(pair, error, what), B))
    assert refused.value.node == A
    assert str(refused.value).startswith(f"{A}: this node does not tell how its half of the mirror is")
    assert f"nobody knows whether {B} has all of it: {told}" in refused.value.message
    assert "`squid-ha status`" in refused.value.remedy
    assert "`squid-ha start --alone`" in refused.value.remedy
    assert pair.said == []


def test_a_node_that_goes_aside_is_left_by_the_reading_that_was_just_made():
    """Until something is written each node is asked twice: what runs where, and how the mirror is."""
    cluster = in_step().cluster()
    asyncio.run(runtime.aside(cluster, A))
    commands = cast(FakeNode, cluster.nodes[B]).commands
    before = commands[: next(place for place, each in enumerate(commands) if each.writes)]
    assert sum(each == views.asks("lcdstatus") for each in before) == len(("what runs where", "the mirror"))


def test_a_node_is_not_put_aside_while_it_does_not_tell_of_the_mirror():
    pair = in_step()
    with pytest.raises(Refused, match="does not tell how its half"):
        asyncio.run(runtime.aside(troubled(pair, TimedOut("too long", node=A), MDSTAT), A))
    assert pair.said == []
    assert pair.lcds[A].running


def nowhere(*owners: str, state: str = "OSU") -> Pair:
    """The service is in service on no node; ``owners`` note that the mirror was there last."""
    pair = in_step()
    for each in pair.lcds[A].instances.values():
        each[4] = state
    for name in owners:
        pair.lcds[name].notes = {"last_owner datarep-mirror"}
    return pair


@pytest.mark.parametrize("state", ["OSU", "OSF"])
def test_a_service_that_runs_nowhere_is_put_in_service_where_the_mirror_was_last(state):
    pair = nowhere(B, state=state)
    asyncio.run(runtime.switchover(pair.cluster(), B))
    assert pair.said[-1] == RESTORE


@pytest.mark.parametrize("state", ["OSU", "OSF"])
def test_a_service_that_runs_nowhere_is_not_put_in_service_on_the_half_that_was_not_the_last_source(state):
    pair = nowhere(A, state=state)
    with pytest.raises(Refused) as refused:
        asyncio.run(runtime.switchover(pair.cluster(), B))
    assert refused.value.node == B
    assert f"LifeKeeper has datarep-mirror in service on no node, and had it last on {A}" in refused.value.message
    assert f"`squid-ha switchover STACK --to {A}`" in refused.value.remedy
    assert f"`{RESTORE[1]}` here" in refused.value.remedy
    assert pair.said == []


@pytest.mark.parametrize(("owners", "told"), [((A, B), f"lies on {A} and {B}"), ((), "lies on no node")])
@pytest.mark.parametrize("to", [A, B])
def test_where_the_nodes_do_not_tell_which_half_was_the_last_source_none_is_put_in_service(owners, told, to):
    pair = nowhere(*owners)
    with pytest.raises(Refused, match="nobody knows which half is the newer one") as refused:
        asyncio.run(runtime.switchover(pair.cluster(), to))
    assert refused.value.message.endswith(told)
    assert "/var/log/lifekeeper.log" in refused.value.remedy
    assert f"`{RESTORE[1]}` on that node" in refused.value.remedy
    assert pair.said == []


def test_a_half_that_a_person_has_given_up_is_not_the_newest_though_it_was_a_source_too():
    pair = nowhere(A, B)
    asyncio.run(marks.kept(pair.cluster(), pair.cluster().node(A)).put({split.GIVEN_UP: B}))
    asyncio.run(runtime.switchover(pair.cluster(), B))
    assert pair.said[-1] == RESTORE


def test_the_last_source_is_looked_for_only_where_the_mirror_is_in_service_nowhere():
    pair, asked = in_step(), list[str]()
    answer = pair.run
    pair.run = lambda name, command: asked.append(command.label) or answer(name, command)
    asyncio.run(runtime.switchover(pair.cluster(), B))
    assert MDSTAT in asked
    assert "look for the last source of the mirror" not in asked


def test_the_rest_comes_to_the_source_whatever_the_other_node_tells():
    pair = in_step()
    asyncio.run(runtime.switchover(pair.cluster(), B))
    pair.lcds[B].instances["ip-192.0.2.10"][4] = "OSU"
    pair.said.clear()
    asyncio.run(runtime.switchover(troubled(pair, Unreachable("no route to host", node=A), ALL), B))
    assert pair.said[-1] == RESTORE


def test_a_service_without_a_mirror_moves_away_from_a_node_that_does_not_answer():
    pair = in_step(phase=2)
    asyncio.run(runtime.switchover(troubled(pair, Unreachable("no route to host", node=A), ALL), B))
    assert pair.said[-1] == RESTORE


def test_a_node_whose_lifekeeper_has_just_stopped_keeps_no_service_from_moving(monkeypatch):
    """The other one takes it for alive until the heartbeats are missed."""
    pair = nowhere(B)
    pair.lcds[A].running = False
    monkeypatch.setattr(pair, "alive", lambda *_: True)
    asyncio.run(runtime.switchover(pair.cluster(), B))
    assert pair.said[-1] == RESTORE


def test_a_node_that_serves_on_with_its_lifekeeper_stopped_keeps_its_half_the_newest(monkeypatch):
    """As after `lkstop -f`; what it noted is read all the same."""
    pair = in_step()
    pair.lcds[A].notes = {"last_owner datarep-mirror"}
    pair.lcds[A].running = False
    monkeypatch.setattr(pair, "alive", lambda *_: True)
    with pytest.raises(Refused, match=f"had it last on {A}"):
        asyncio.run(runtime.switchover(pair.cluster(), B))
    assert pair.said == []
