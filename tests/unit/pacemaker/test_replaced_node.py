"""A blank node in the place of one of the pair, while the other serves: nothing of the other is stopped for it."""

import copy

import pytest

from blueprint import names
from blueprint.site import things
from declaration.load import read
from providers.connection.command import Command, Result
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Absent
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.pacemaker import sbd
from tests.unit.declaration.conftest import SITES

SETTINGS = NodeSettings(
    files={"/etc/default/sbd": FileState(content="SBD_DEVICE=/dev/x\n")},
    units={"sbd.service": UnitState(enabled="enabled")},
)
BLANK = NodeSettings(files={"/etc/default/sbd": FileState()}, units={"sbd.service": UnitState(enabled="disabled")})
WANTED = sbd.Wanted(device="/dev/x", watchdog_timeout="10", message_timeout="20", nodes={"a": SETTINGS, "b": SETTINGS})


def node(name: str, *, runs: bool) -> FakeNode:
    def answer(command: Command) -> Result:
        return Result(command, 0 if runs else 3, "", "")

    return FakeNode(name, answer)


@pytest.mark.parametrize(
    ("before", "running", "restarts"),
    [
        ({"a": SETTINGS, "b": BLANK}, {"a"}, 0),
        ({"a": BLANK, "b": SETTINGS}, {"a"}, 1),
        ({"a": SETTINGS, "b": BLANK}, {"a", "b"}, 1),
        ({"a": BLANK, "b": BLANK}, set(), 0),
        ({"a": SETTINGS, "b": SETTINGS}, {"a", "b"}, 0),
    ],
)
async def test_only_what_runs_with_other_settings_starts_anew(monkeypatch, before, running, restarts):
    done: list[str] = []

    async def nothing(*_args: object, **_named: object) -> None:
        pass

    async def found(node: FakeNode, _wanted: NodeSettings) -> NodeSettings:
        return before[node.name]

    async def restart(_cluster: object, _before_managed: object) -> None:
        done.append("restart")

    async def not_interrupted(_cluster: object) -> bool:
        return False

    for name in ("_require_watchdog", "_converge_header", "converge_settings"):
        monkeypatch.setattr(sbd, name, nothing)
    monkeypatch.setattr(sbd, "read_settings", found)
    monkeypatch.setattr(sbd.stack, "restart", restart)
    monkeypatch.setattr(sbd.stack, "refuse_alone", nothing)
    monkeypatch.setattr(sbd.stack, "interrupted", not_interrupted)
    cluster = fake_cluster(*(node(name, runs=name in running) for name in "ab"))
    await sbd.converge(cluster, WANTED, Absent())
    assert len(done) == restarts


@pytest.mark.parametrize(
    ("phase", "needs"), [(2, {names.SQUID_AGENT}), (3, {names.SQUID_AGENT, names.MIRROR, names.FILESYSTEM})]
)
def test_a_node_joins_only_once_it_has_what_pacemaker_asks_it_for(phase, needs):
    made = {thing.name: thing for thing in things(read(copy.deepcopy(SITES[phase]), "test"), "squid-ha/test")}
    assert needs <= set(made[names.MEMBERSHIP].after)
