"""A switchover is refused while the mirror's halves are not known to be in step, and nothing is said to the cluster."""

from __future__ import annotations

import shlex
from functools import partial

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused, Unknown, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import move, runtime
from providers.pacemaker.cib import Cib
from tests.unit.pacemaker import by_hand
from tests.unit.pacemaker.acting import Acting

SOURCE, TARGET = "qsp-a", "qsp-b"
PREFERENCE = '<rsc_location id="cli-prefer-mirror-clone" rsc="mirror-clone" node="qsp-a" score="INFINITY"/>'


def drbd(disk: str, peer_disk: str, connection: str = "Connected", size: str = "5242684") -> str:
    return (
        "exists resource name:r0 role:Secondary suspended:no\n"
        f"exists connection name:r0 connection:{connection} role:Secondary\n"
        f"exists device name:r0 volume:0 minor:0 disk:{disk} size:{size}\n"
        f"exists peer-device name:r0 volume:0 replication:Established peer-disk:{peer_disk} out-of-sync:0\n"
        "exists -\n"
    )


IN_STEP = drbd("UpToDate", "UpToDate")


def nodes(pair: Acting, told: dict[str, str | None]) -> list[FakeNode]:
    """With what DRBD says on each node; None: the node is lost when it is asked."""

    def answer(name: str, command: Command) -> Result | str:
        if not str(command).startswith("drbdsetup events2"):
            return pair.answer(command)
        said = told.get(name, IN_STEP)
        if said is None:
            raise Unreachable("the connection broke", node=name)
        return said

    return [FakeNode(name, partial(answer, name)) for name in (SOURCE, TARGET)]


def grouped() -> Acting:
    return Acting(cib=by_hand.GROUPED, mon=by_hand.MON)


@pytest.mark.parametrize(
    ("told", "node", "how"),
    [
        pytest.param(
            {SOURCE: drbd("UpToDate", "Inconsistent"), TARGET: drbd("Inconsistent", "UpToDate")},
            SOURCE,
            "Connected, UpToDate here, Inconsistent there",
            id="inconsistent",
        ),
        pytest.param(
            {SOURCE: drbd("UpToDate", "Outdated"), TARGET: drbd("Outdated", "UpToDate")},
            SOURCE,
            "Connected, UpToDate here, Outdated there",
            id="outdated",
        ),
        pytest.param(
            {TARGET: drbd("Outdated", "UpToDate")}, TARGET, "Connected, Outdated here, UpToDate there", id="only-there"
        ),
        pytest.param(
            {SOURCE: drbd("UpToDate", "DUnknown", "Connecting"), TARGET: drbd("UpToDate", "DUnknown", "Connecting")},
            SOURCE,
            "Connecting, UpToDate here, DUnknown there",
            id="not-connected",
        ),
        pytest.param({TARGET: ""}, TARGET, "no connection, ? here, ? there", id="not-configured"),
    ],
)
async def test_a_service_does_not_move_to_a_half_that_is_behind(
    told: dict[str, str | None], node: str, how: str
) -> None:
    pair = grouped()
    with pytest.raises(Refused) as refused:
        await runtime.switchover(fake_cluster(*nodes(pair, told)), TARGET)
    assert refused.value.node == node
    assert str(refused.value).startswith(f"{node}: the mirror r0 is not up to date on both sides ({how})")
    assert refused.value.remedy == "wait for the resync, or repair the connection, before moving the service"
    assert pair.said == []


@pytest.mark.parametrize(
    ("said", "error", "remedy"),
    [
        pytest.param(None, Unreachable, "", id="lost"),
        pytest.param(drbd("UpToDate", "UpToDate", size="?"), Unknown, "run this again", id="not-understood"),
    ],
)
@pytest.mark.parametrize("node", [SOURCE, TARGET])
async def test_a_service_does_not_move_while_a_half_does_not_tell_how_it_is(
    said: str | None, error: type[Exception], remedy: str, node: str
) -> None:
    pair = grouped()
    with pytest.raises(error, match=f"^{node}: ") as silent:
        await runtime.switchover(fake_cluster(*nodes(pair, {node: said})), TARGET)
    assert remedy in str(silent.value)
    assert pair.said == []


async def test_a_service_moves_where_both_halves_are_in_step() -> None:
    pair = grouped()
    await runtime.switchover(fake_cluster(*nodes(pair, {})), TARGET)
    assert pair.said[0].endswith(f"crm_resource --move drbd_logs-clone --node {TARGET}")


class Interrupted(Acting):
    """The service is on its way to `qsp-a`, where nobody waits for it, and arrives after some readings."""

    def __init__(self, readings: int, constraint: str = PREFERENCE) -> None:
        super().__init__(unit="active", unit_on=SOURCE, mirror=IN_STEP)
        self.cib = self.cib.replace("<constraints>", f"<constraints>{constraint}")
        self.left = readings

    def answer(self, command: Command) -> Result | str:
        if command.argv[0] == "crm_mon":
            self.left -= 1
            if self.left == 0:
                self.move(SOURCE)
        if str(command).startswith("systemctl stop"):
            self.cib = self.cib.replace(PREFERENCE, "")
        return super().answer(command)


async def test_a_switchover_that_was_interrupted_is_gone_on_with_by_the_same_words() -> None:
    pair = Interrupted(readings=3)
    await runtime.switchover(fake_cluster(*pair.nodes()), SOURCE)
    assert pair.said == ["systemctl stop squid-ha-switchover.service"]


async def test_what_is_left_of_a_switchover_that_moves_nothing_any_more_gives_way_to_a_new_one() -> None:
    pair = Interrupted(readings=0, constraint="")
    await runtime.switchover(fake_cluster(*pair.nodes()), SOURCE)
    stop, begin = "systemctl stop squid-ha-switchover.service", "systemd-run --unit=squid-ha-switchover.service"
    assert [said.partition(" crm_resource")[0] for said in pair.said] == [stop, begin, stop]


async def test_names_that_a_cluster_has_reach_what_systemd_runs_as_they_are() -> None:
    target = FakeNode("q$p b")
    await move._start_unit(target, Cib.parse(by_hand.GROUPED), target.name, 60)
    (begin,) = target.commands
    assert begin.argv[begin.argv.index("sh") + 2] == "q$$p b"
    (clear,) = (word.partition("ExecStopPost=")[2] for word in begin.argv if "ExecStopPost" in word)
    assert shlex.split(clear)[-3:] == ["--node", "q$$p b", "--promoted"]
