"""A member that somebody else has defined is looked at and never written."""

from __future__ import annotations

import pytest

from providers import reconcile
from providers.connection.errors import Refused
from providers.connection.fake import fake_cluster
from providers.contract import Absent, Present
from providers.pacemaker import definition, found
from providers.pacemaker.cib import Cib
from tests.unit.pacemaker.acting import Acting


def wanted(acting: Acting, name: str = "address") -> found.Wanted:
    return found.Wanted(id=name, definition=definition.digest(Cib.parse(acting.cib), name) or "as-found:none")


async def test_as_it_was_found_nothing_is_said_or_written():
    acting = Acting()
    cluster = fake_cluster(*acting.nodes())
    seen = await reconcile.apply("pacemaker.found", cluster, wanted(acting))
    assert seen.values.runs
    assert seen.facts["nodes"] == ["qsp-b"]
    await reconcile.remove("pacemaker.found", cluster, wanted(acting))
    assert acting.said == []


async def test_another_definition_is_drift_that_is_refused():
    acting = Acting()
    before = wanted(acting)
    acting.cib = acting.cib.replace('interval="10s"', 'interval="77s"')
    cluster = fake_cluster(*acting.nodes())
    seen = await found.observe(cluster, before)
    assert isinstance(seen, Present)
    assert [each.path for each in reconcile.differences(before, seen.values)] == ["definition"]
    with pytest.raises(Refused, match=r"the definition of `address`: adopted as it was found"):
        await reconcile.apply("pacemaker.found", cluster, before)
    assert acting.said == []


async def test_one_that_is_gone_is_told_by_its_name():
    acting = Acting()
    gone = wanted(acting, "vip")
    cluster = fake_cluster(*acting.nodes())
    assert isinstance(await found.observe(cluster, gone), Absent)
    with pytest.raises(Refused, match=r"no resource `vip` any more"):
        await reconcile.apply("pacemaker.found", cluster, gone)


async def test_one_that_does_not_run_is_not_started_here():
    acting = Acting()
    acting.mon = acting.mon.replace('id="address"', 'id="another"')
    cluster = fake_cluster(*acting.nodes())
    seen = await found.observe(cluster, wanted(acting))
    assert isinstance(seen, Present)
    assert not seen.values.runs
    with pytest.raises(Refused, match=r"`address` does not run"):
        await reconcile.apply("pacemaker.found", cluster, wanted(acting))
    assert acting.said == []
