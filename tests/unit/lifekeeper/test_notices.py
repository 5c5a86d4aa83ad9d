"""What failed on the standby node is told, and the site is not called healthy for as long."""

import asyncio

import pytest

from operations import overview
from operations.drill.ready import readiness
from providers.connection.errors import Refused, Unknown
from providers.host import clocks
from providers.lifekeeper import runtime
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_plan_and_runtime import foreign, in_step

A, B = "proxy-a", "proxy-b"


@pytest.fixture(autouse=True)
def no_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not count for a site's health."""

    async def untold(*_: object, **__: object) -> None:
        raise Unknown("no clock is asked here")

    monkeypatch.setattr(clocks, "read", untold)


def fail(pair: Pair, node: str, *tags: str) -> None:
    for tag in tags:
        pair.lcds[node].instances[tag][4] = "OSF"


def told(pair: Pair) -> list[tuple[str, str, str]]:
    return [(each.kind, each.node, each.member) for each in asyncio.run(runtime.notices(pair.cluster()))]


def healthy(pair: Pair) -> bool | None:
    return asyncio.run(overview.read(pair.cluster(), site(), "lab")).overview.healthy


def test_what_failed_on_the_standby_is_told_until_a_cleanup_and_the_site_is_not_healthy_for_as_long():
    pair = in_step()
    assert healthy(pair)
    fail(pair, B, "qsp-squid")
    (notice,) = asyncio.run(runtime.notices(pair.cluster()))
    assert (notice.kind, notice.node, notice.member) == ("ban", B, "qsp-squid")
    assert "qsp-squid failed on proxy-b" in notice.text
    assert "`squid-ha cleanup`" in notice.text
    assert healthy(pair) is False
    asyncio.run(runtime.cleanup(pair.cluster()))
    assert told(pair) == []
    assert healthy(pair)


def test_a_drill_is_refused_while_a_failure_is_remembered_on_the_standby():
    pair = in_step()
    assert asyncio.run(readiness(pair.cluster(), site())).healthy
    fail(pair, B, "ip-192.0.2.10")
    with pytest.raises(Refused, match=r"ip-192\.0\.2\.10 failed on proxy-b; .*`squid-ha cleanup`"):
        asyncio.run(readiness(pair.cluster(), site()))


def test_a_mirror_that_failed_on_the_standby_is_told_too():
    pair = in_step()
    fail(pair, B, "datarep-mirror")
    assert told(pair) == [("ban", B, "datarep-mirror")]
    asyncio.run(runtime.cleanup(pair.cluster()))
    assert told(pair) == []


def test_what_failed_before_the_service_left_is_told_of_the_node_that_it_left():
    pair = in_step(phase=2)
    asyncio.run(runtime.switchover(pair.cluster(), B))
    fail(pair, A, "qsp-squid")
    assert told(pair) == [("ban", A, "qsp-squid")]
    asyncio.run(runtime.switchover(pair.cluster(), A))
    assert told(pair) == [], "put in service there, it is no failure any more"


@pytest.mark.parametrize("parts", [("ip-192.0.2.10",), ("ip-192.0.2.10", "qsp-squid", "/mnt/mirror", "datarep-mirror")])
def test_what_failed_where_the_service_runs_or_ran_last_is_told_by_its_state_alone(parts):
    pair = in_step()
    fail(pair, A, *parts)
    assert told(pair) == [], "a cleanup would not bring it back"
    assert asyncio.run(runtime.tree(pair.cluster())).states["ip-192.0.2.10"][A] == "Failed"
    assert healthy(pair) is False


def test_a_node_that_is_aside_has_no_failures_of_its_own():
    pair = in_step(phase=2)
    fail(pair, B, "qsp-squid")
    asyncio.run(runtime.aside(pair.cluster(), B))
    assert told(pair) == [("standby", B, "")]


def test_a_failure_of_somebody_elses_resource_is_none_of_the_services():
    pair = in_step(phase=2)
    foreign(pair, "ip-other", kind=("comm", "ip"), state="OSF")
    assert told(pair) == []


def test_other_notices_are_told_where_there_is_no_resource_for_squid():
    pair = in_step(phase=2)
    for lcd in pair.lcds.values():
        lcd.instances, lcd.ties, lcd.priorities = {}, [], {}
    pair.lcds[B].running = False
    assert told(pair) == [("standby", B, "")]
