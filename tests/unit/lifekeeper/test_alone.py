"""A service that is started on one node while the other one is off: which half of the mirror may come up so."""

import asyncio

import pytest

from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import alone as starting
from providers.lifekeeper import grammar, last, runtime
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.test_plan_and_runtime import alone
from tests.unit.lifekeeper.test_providers import fresh, members, up

B = "proxy-b"
FORCE = "/opt/LifeKeeper/bin/mirror_action datarep-mirror force"
RESTORE = "/opt/LifeKeeper/bin/perform_action -t ip-192.0.2.10 -a restore"


def both_were_down(*notes: str) -> Pair:
    """proxy-b has come back alone, its resources out of service."""
    pair = fresh()
    up(pair, members())
    for each in pair.lcds[B].instances.values():
        each[4] = "OSU"
    pair.lcds[B].notes = {f"{note} datarep-mirror" for note in notes}
    pair.said.clear()
    return pair


def lines(pair: Pair) -> list[str]:
    return [line for _, line in pair.said if line.startswith("/opt/LifeKeeper")]


def test_the_half_that_was_the_last_source_is_forced_and_serves():
    pair = both_were_down("last_owner", "data_corrupt")
    asyncio.run(runtime.start_alone(alone(pair), B))
    assert lines(pair) == [FORCE, RESTORE]
    assert {each[4] for each in pair.lcds[B].instances.values()} == {"ISP"}
    pair.said.clear()
    asyncio.run(runtime.start_alone(alone(pair), B))
    assert FORCE not in lines(pair), "it serves, so there is nothing to force"


def test_a_half_that_comes_up_by_itself_is_not_forced():
    pair = both_were_down("last_owner")
    asyncio.run(runtime.start_alone(alone(pair), B))
    assert lines(pair) == [RESTORE]


@pytest.mark.parametrize("notes", [(), ("data_corrupt",)])
def test_a_half_that_was_not_the_last_source_is_neither_forced_nor_started(notes):
    pair = both_were_down(*notes)
    with pytest.raises(Refused, match="datarep-mirror was not in service here last") as refused:
        asyncio.run(runtime.start_alone(alone(pair), B))
    assert refused.value.node == B
    assert "switch the other node on" in (refused.value.remedy or "")
    assert f"`{FORCE}`" in (refused.value.remedy or "")
    assert pair.said == []


def test_a_node_that_is_heard_only_once_lifekeeper_is_up_is_not_off(monkeypatch):
    pair = both_were_down("last_owner", "data_corrupt")
    cluster = alone(pair)

    async def comes_up(_cluster, _node):
        pair.lcds["proxy-a"].running = True

    monkeypatch.setattr(starting, "wait_until_up", comes_up)
    with pytest.raises(Refused, match="proxy-a is alive to LifeKeeper"):
        asyncio.run(runtime.start_alone(cluster, B))
    assert pair.said == []


def test_what_lifekeeper_has_not_looked_at_yet_is_waited_for(monkeypatch):
    pair = both_were_down("last_owner")
    for each in pair.lcds[B].instances.values():
        each[4] = "ILLSTATE"
    monkeypatch.setattr(starting, "UP_LIMIT", 0.0)
    with pytest.raises(TimedOut, match="has not looked at all of its resources"):
        asyncio.run(runtime.start_alone(alone(pair), B))
    assert pair.said == []


def test_the_files_that_are_read_are_the_grammars():
    known = {each.path for each in grammar.load().files}
    for note in (last.LAST_OWNER, last.DATA_CORRUPT):
        assert f"{last.NETRAID}/{{tag}}_{note}" in known
        assert note in last._NOTES


def test_a_node_that_is_alive_to_lifekeeper_is_not_off_though_it_is_declared_away():
    pair = fresh()
    up(pair, members(2))
    alone = fake_cluster(FakeNode("proxy-b", lambda command: pair.answer("proxy-b", command)))
    with pytest.raises(Refused, match="proxy-a is alive to LifeKeeper"):
        asyncio.run(runtime.start_alone(alone, "proxy-b"))


def test_a_system_that_the_service_is_not_extended_to_keeps_nobody_from_starting_it_alone():
    pair = both_were_down("last_owner")
    pair.lcds[B].systems.append("witness")
    pair.witnesses = {"witness"}
    asyncio.run(runtime.start_alone(alone(pair), B))
    assert lines(pair) == [RESTORE]


@pytest.mark.parametrize("silent", [False, True])
def test_a_service_started_alone_is_waited_for_also_while_lifekeeper_there_does_not_tell(monkeypatch, silent):
    pair = fresh()
    up(pair, members(2))
    cluster, put, tell = alone(pair), pair.perform_action, pair.ins_list
    putting, waited = [], []

    async def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            put(*putting.pop())

    def told(name, values):
        return (2, "", "busy") if silent and putting else tell(name, values)

    monkeypatch.setattr(pair, "perform_action", lambda *words: putting.append(words) or (0,))
    monkeypatch.setattr(pair, "ins_list", told)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(runtime.start_alone(cluster, "proxy-b"))
    assert len(waited) == 3
    assert asyncio.run(runtime.active_node(cluster)) == "proxy-b"


def test_a_service_that_does_not_come_when_it_is_started_alone_is_told_by_its_states(monkeypatch):
    pair = fresh()
    up(pair, members(2))
    cluster, put = alone(pair), pair.perform_action

    def put_and_fail(name, values):
        put(name, values)
        pair.lcds[name].instances["qsp-squid"][4] = "OSF"
        return (0,)

    monkeypatch.setattr(pair, "perform_action", put_and_fail)
    monkeypatch.setattr(starting, "MOVE_LIMIT", 0)
    with pytest.raises(NotVerified, match=r"qsp-squid is Failed on proxy-b, ip-192\.0\.2\.10 is Started on proxy-b"):
        asyncio.run(runtime.start_alone(cluster, "proxy-b"))
