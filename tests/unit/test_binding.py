"""What Pulumi is told of a thing whose change was begun and never finished."""

from __future__ import annotations

from typing import Any

import pytest

from providers import binding, wire
from providers.contract import Observed, Present, State
from providers.host import node

WANTED = node.Wanted(node="qsp-a", platform="debian-12", hostname="qsp-a", owner="squid-ha/lab")
PROPS: dict[str, Any] = {binding.IDENTITY: "squid-ha/lab/node-1", **wire.encode(WANTED)}


class Access:
    """A site where all is as wanted."""

    def __init__(self, *, unfinished: bool) -> None:
        self.unfinished = unfinished

    def observe(self, _identity: str, _kind: str, wanted: State) -> tuple[Observed[State], bool]:
        return Present(wanted), self.unfinished


@pytest.mark.parametrize("unfinished", [True, False])
def test_a_refresh_finds_it_and_the_next_up_goes_on_with_it(monkeypatch: pytest.MonkeyPatch, unfinished: bool) -> None:
    """The properties are as wanted, so that nothing else would have `up --refresh` finish it."""
    provider = binding.load("host.node")
    monkeypatch.setattr(provider, "_site", Access(unfinished=unfinished))
    read = provider.read("squid-ha/lab/node-1", PROPS)
    assert provider.diff("squid-ha/lab/node-1", read.outs, PROPS).changes == unfinished
    # The next read gets these outputs.
    assert provider.read("squid-ha/lab/node-1", read.outs).outs == read.outs
