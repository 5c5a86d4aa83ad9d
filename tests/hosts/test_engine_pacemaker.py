"""The engine `pacemaker` does what every engine does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.conformance import ByHand, Conformance, Deployed, Edit, Port, up
from tests.support.sites import for_either_engine
from tests.support.stack import Stack
from tests.support.things import site

NAME = "test-engine-pacemaker"
pytestmark = [pytest.mark.spare, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def deployed(pair, tmp_path_factory) -> Iterator[Deployed]:
    stack = Stack(NAME, tmp_path_factory.mktemp("stack"), for_either_engine(pair.directory) | {"engine": "pacemaker"})
    yield from up(site(pair, owner=f"squid-ha/{NAME}", name=NAME), stack)


class TestPacemaker(Conformance):
    engine, another = "pacemaker", "lifekeeper"
    by_hand = ByHand(
        "cibadmin --delete --xml-text '<rsc_order id=\"address-after-squid\"/>'", "tree-address", "address-after-squid"
    )
    edit = Edit({"pacemaker": {"token": "5s"}}, frozenset({"membership"}))
    hears = Port("udp", 5405)
    looks = 30.0
