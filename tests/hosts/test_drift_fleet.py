"""`squid-ha drift` over 25 deployed pairs of each engine: exactly what was changed by hand is named, of fifty hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.drift import fleet as fleets
from benchmarks.drift.deviations import Inexact, deviations, require_exactly
from benchmarks.drift.fleet import Fleet
from benchmarks.drift.pairs import MOST
from benchmarks.drift.scan import scan
from tests.hosts.conftest import remove_containers

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", params=["pacemaker", "lifekeeper"])
def fleet(request: pytest.FixtureRequest, lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    try:
        yield fleets.deploy(lab, tmp_path_factory.mktemp("fleet"), MOST, request.param, print)
    finally:
        remove_containers()


def test_a_deployed_fleet_is_clean(fleet: Fleet) -> None:
    found = scan(fleet.project)
    assert [site for site in found.report["sites"] if site["outcome"] != "clean"] == []
    assert (found.code, len(found.report["sites"])) == (0, MOST)


def test_five_changes_by_hand_are_named_and_nothing_else_and_a_sixth_is_not_overlooked(fleet: Fleet) -> None:
    *planted, one_more = deviations(fleet.pairs)
    assert len({each.pair for each in planted}) == len({each.thing for each in planted}) == 5
    for each in planted:
        each.plant(fleet)
    require_exactly(planted, scan(fleet.project))

    one_more.plant(fleet)
    found = scan(fleet.project)
    with pytest.raises(Inexact) as wrong:
        require_exactly(planted, found)
    assert str(wrong.value) == f"named and not planted: {one_more.thing} on {one_more.node} of {one_more.pair.stack}"
    require_exactly([*planted, one_more], found)
