"""Fencing that would not work is told of, and counts: nothing takes over from a node that cannot be fenced."""

from __future__ import annotations

import re

import pytest

from providers.connection.fake import fake_cluster
from providers.pacemaker import runtime
from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Location, Primitive
from providers.pacemaker.options import SECTIONS
from providers.roles import Notice
from tests.unit.pacemaker.acting import Acting

RUNS = '<node name="qsp-b" id="2" cached="true"/>'
BOTH = ("qsp-a", "qsp-b")


def fenced(*, role: str = "Started", pending: str = "", stonith: str = "true") -> Acting:
    """The recorded pair with a device, which runs on `qsp-b` or nowhere."""
    acting = Acting()
    cib = Cib.parse(acting.cib).with_member(Primitive(id="fencing", agent="stonith:external/sbd"), None)
    acting.cib = cib.with_options(*SECTIONS["properties"], {"stonith-enabled": stonith}).text()
    shown = (
        f'<resource id="fencing" resource_agent="stonith:external/sbd" role="{role}" orphaned="false" blocked="false" '
        f'managed="true" failed="false" pending="{pending}">{RUNS if role == "Started" else ""}</resource>'
    )
    acting.mon = acting.mon.replace("<resources>", f"<resources>{shown}")
    return acting


def failing(acting: Acting, node: str, count: int) -> Acting:
    history = f'<resource_history id="fencing" orphan="false" fail-count="{count}"/>'
    acting.mon = re.sub(rf'(<node_history>.*?<node name="{node}"[^>]*>)', rf"\1{history}", acting.mon, flags=re.DOTALL)
    return acting


def off(acting: Acting, node: str) -> Acting:
    acting.mon = re.sub(f'(name="{node}" id="[12]" online=)"true"', r'\1"false"', acting.mon)
    return acting


def barred(acting: Acting, *nodes: str) -> Acting:
    bans = {f"no-{node}": Location(resource="fencing", score="-INFINITY", node=node) for node in nodes}
    acting.cib = Cib.parse(acting.cib).with_constraints(bans).text()
    return acting


def disabled(acting: Acting) -> Acting:
    acting.cib = Cib.parse(acting.cib).with_meta("fencing", "target-role", "Stopped").text()
    return acting


async def told(acting: Acting) -> list[Notice]:
    return list(await runtime.notices(fake_cluster(*acting.nodes())))


@pytest.mark.parametrize(
    "acting",
    [
        pytest.param(fenced(), id="it runs"),
        pytest.param(fenced(role="Stopped", pending="Starting"), id="it is being started"),
        pytest.param(barred(fenced(), "qsp-a"), id="it runs where it may"),
        pytest.param(failing(fenced(role="Stopped", stonith="false"), "qsp-a", 1), id="the cluster does not fence"),
        pytest.param(disabled(fenced(role="Stopped", stonith="off")), id="it was told to stop where nothing is fenced"),
        pytest.param(failing(fenced(), "qsp-a", 1), id="it failed once"),
        pytest.param(barred(off(fenced(role="Stopped"), "qsp-a"), "qsp-b"), id="the node for it is off"),
    ],
)
async def test_fencing_that_works_or_that_there_is_not_counts_for_nothing(acting: Acting) -> None:
    assert {each.kind for each in await told(acting)} <= {"failure", "apart"}


@pytest.mark.parametrize(
    ("acting", "node", "said"),
    [
        pytest.param(fenced(role="Stopped"), "", "fencing runs on no node", id="stopped"),
        pytest.param(barred(fenced(role="Stopped"), *BOTH), "", "fencing runs on no node", id="allowed nowhere"),
        pytest.param(off(fenced(role="Stopped"), "qsp-a"), "", "fencing runs on no node", id="on the one left"),
        pytest.param(
            failing(fenced(), "qsp-a", 1_000_000), "qsp-a", "`squid-ha cleanup`) fencing does not run on qsp-a",
            id="failed for good where it does not run",
        ),
        pytest.param(
            disabled(fenced(role="Stopped")), "", "`crm_resource --resource fencing --meta --delete-parameter",
            id="told to stop",
        ),
    ],
)  # fmt: skip
async def test_fencing_that_would_not_work_is_told_of_as_such(acting: Acting, node: str, said: str) -> None:
    (notice,) = [each for each in await told(acting) if each.kind != "apart"]
    assert (notice.kind, notice.node, notice.member) == ("unfenced", node, "fencing")
    assert said in notice.text
