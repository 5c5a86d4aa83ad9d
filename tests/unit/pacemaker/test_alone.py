"""Starting one node while the other one is off: what is refused, and what is said to Corosync and Pacemaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import alone, live
from tests.unit.pacemaker.tools import recorded

GENERATION = "240B8474F5F30D70:0000000000000000:53D5B756191BEFD1:53D4B756191BEFD1:1:{}:0:1:0:0:0"


STANDALONE = (Path(__file__).parents[2] / "recorded/storage/events2-standalone.txt").read_text()


class Waiting:
    """`qsp-b`, whose cluster waits for `qsp-a` until it is told not to."""

    def __init__(self) -> None:
        self.started = False
        self.quorate = False
        self.unclean = True
        self.up_to_date = "1"
        self.disk = "UpToDate"
        self.seen = False
        self.said: list[str] = []

    def answer(self, command: Command) -> Result | str:
        text = str(command)
        if command.writes:
            self.said.append(text)
        if "squid-ha" in text and "systemctl" not in text:
            return self.mirror(text)
        if text.startswith("systemctl start"):
            self.started = True
        elif "cancel_wait_for_all" in text:
            self.quorate = True
        elif text.startswith("stonith_admin"):
            self.unclean = False
        elif "corosync-cmapctl -g" in text:
            return "runtime.votequorum.wait_for_all_status (u8) = 1\n"
        elif not self.started and command.argv[0] in {"crm_mon", "cibadmin"}:
            return Result(command, 102, "", "Connection refused")
        elif command.argv[0] == "cibadmin":
            return recorded("cib-tree.xml").replace('have-quorum="1"', f'have-quorum="{int(self.quorate)}"')
        elif command.argv[0] == "crm_mon":
            return self.mon()
        return ""

    def mirror(self, text: str) -> str:
        if "for the newest" in text:
            self.disk = "UpToDate"
        said = {"get-gi": GENERATION.format(self.up_to_date), "events2": STANDALONE.replace("UpToDate", self.disk)}
        return next((answer for word, answer in said.items() if word in text), "")

    def mon(self) -> str:
        text = recorded("crm_mon-tree.xml").replace('with_quorum="true"', f'with_quorum="{str(self.quorate).lower()}"')
        if self.seen:
            return text
        return text.replace('name="qsp-a" id="1" online="true"', 'name="qsp-a" id="1" online="false"').replace(
            'unclean="false"', f'unclean="{str(self.unclean).lower()}"', 1
        )


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "pause", lambda took: 0.0)


async def test_the_waiting_is_ended_the_peer_declared_off_and_the_service_waited_for() -> None:
    waiting = Waiting()
    cluster = fake_cluster(FakeNode("qsp-b", waiting.answer))
    for _ in range(2):
        await alone.start_alone(cluster, "qsp-b")
        assert waiting.said == [
            "systemctl start corosync.service pacemaker.service",
            "corosync-cmapctl -s quorum.cancel_wait_for_all u8 1",
            "stonith_admin --confirm qsp-a",
        ]


async def test_a_half_that_cannot_tell_whether_it_is_the_newest_is_taken_for_that() -> None:
    """Both nodes lost their power: DRBD calls what is left `Consistent`, and its agent lets nobody promote it."""
    waiting = Waiting()
    waiting.disk = "Consistent"
    cluster = fake_cluster(FakeNode("qsp-b", waiting.answer))
    for _ in range(2):
        await alone.start_alone(cluster, "qsp-b")
        assert waiting.said[-2:] == ["stonith_admin --confirm qsp-a", "take squid-ha for the newest"]


async def test_a_half_that_is_behind_does_not_become_the_source() -> None:
    waiting = Waiting()
    waiting.up_to_date = "0"
    with pytest.raises(Refused, match="known to be behind"):
        await alone.start_alone(fake_cluster(FakeNode("qsp-b", waiting.answer)), "qsp-b")
    assert waiting.said == []


async def test_a_peer_that_the_cluster_sees_is_not_off() -> None:
    waiting = Waiting()
    waiting.started = waiting.seen = True
    with pytest.raises(Refused, match="sees qsp-a, so it is not off"):
        await alone.start_alone(fake_cluster(FakeNode("qsp-b", waiting.answer)), "qsp-b")
    assert waiting.said == []
