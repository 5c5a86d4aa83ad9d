"""The engine `lifekeeper`, on the lab's stand-in, does what every engine does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab import lifekeeper
from tests.support.conformance import ByHand, Conformance, Deployed, Edit, Port, up
from tests.support.sites import for_either_engine
from tests.support.stack import Stack
from tests.support.things import site

NAME = "test-engine-lifekeeper"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def deployed(pair, tmp_path_factory) -> Iterator[Deployed]:
    for node in pair.names:
        asyncio.run(lifekeeper.provide(node))
    stack = Stack(NAME, tmp_path_factory.mktemp("stack"), for_either_engine(pair.directory) | {"engine": "lifekeeper"})
    yield from up(site(pair, owner=f"squid-ha/{NAME}", name=NAME), stack)


class TestLifeKeeper(Conformance):
    engine, another = "lifekeeper", "pacemaker"
    by_hand = ByHand("/opt/LifeKeeper/bin/ins_setas -t qsp-squid -s AUTOMATIC", "tree-squid", "switchback")
    edit = Edit({"lifekeeper": {"switchback": "automatic"}}, frozenset({"tree-squid", "tree-address"}))
    hears = Port("tcp", 7365)
    looks = 6.0
