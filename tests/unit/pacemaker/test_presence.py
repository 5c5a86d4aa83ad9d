"""Who takes part, and who was fenced, out of what crm_mon says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from providers.connection.cluster import Cluster
from providers.connection.errors import Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import presence

# In the form that Pacemaker 2.1 prints (st_output.c); times with and without fractions and zone occur.
HISTORY = """<pacemaker-result api-version="2.25" request="crm_mon">
  <fence_history status="0">
    <fence_event action="reboot" target="qsp-a" client="pacemaker-controld.9" origin="qsp-b" delegate="qsp-b"
                 status="{status}" completed="{completed}"/>
  </fence_history>
</pacemaker-result>"""
AT = 1795383600.0


def living(monkeypatch: pytest.MonkeyPatch, said: str) -> FakeNode:
    """A node that tells of the cluster, and of its fencing says this."""
    asked = FakeNode("qsp-b", lambda _command: said)

    @dataclass
    class Monitor:
        def online(self) -> list[str]:
            return ["qsp-b"]

    @dataclass
    class Live:
        node: FakeNode
        monitor: Monitor

    async def read(_cluster: Cluster) -> Live:
        return Live(asked, Monitor())

    monkeypatch.setattr(presence.live, "read", read)
    return asked


@pytest.mark.parametrize(
    ("completed", "seconds"),
    [
        ("2026-11-22 21:40:00.088147Z", AT),
        ("2026-11-22 21:40:00Z", AT),
        ("2026-11-22 22:40:00 +01:00", AT),
        ("2026-11-22 22:40:00 +0100", AT),
        ("2026-11-22 21:40:00", AT),
        ("yesterday", None),
        ("", None),
    ],
)
def test_when_a_fencing_was_completed(completed: str, seconds: float | None) -> None:
    (found,) = presence.parse(HISTORY.format(status="success", completed=completed))
    assert (found.node, found.status, found.completed) == ("qsp-a", "success", seconds)


@pytest.mark.parametrize(
    ("node", "status", "since", "wanted"),
    [
        ("qsp-a", "success", AT - 30, True),
        ("qsp-a", "success", AT + 5, True),
        ("qsp-a", "success", AT + 30, False),
        ("qsp-a", "failed", AT - 30, False),
        ("qsp-b", "success", AT - 30, False),
    ],
)
async def test_only_what_succeeded_since_then_counts(
    monkeypatch: pytest.MonkeyPatch, node: str, status: str, since: float, wanted: bool
) -> None:
    asked = living(monkeypatch, HISTORY.format(status=status, completed="2026-11-22 21:40:00Z"))
    assert await presence.fenced(fake_cluster(asked), node, since) is wanted
    assert await presence.online(fake_cluster(asked)) == {"qsp-b"}


async def test_a_history_that_is_not_understood_is_told_of_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = living(monkeypatch, "crm_mon: no such option")
    with pytest.raises(Unknown, match=r"^qsp-b: what crm_mon says of fencing is not understood"):
        await presence.fenced(fake_cluster(asked), "qsp-a", AT)


def test_no_history_is_no_fencing() -> None:
    assert presence.parse("<pacemaker-result/>") == []
