"""What Pulumi is told of a thing whose change was begun and never finished."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from providers import binding, wire
from providers.connection.errors import Unreachable
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
    outputs = provider.read("squid-ha/lab/node-1", PROPS).outs or {}
    assert provider.diff("squid-ha/lab/node-1", outputs, PROPS).changes == unfinished
    # The next read gets these outputs.
    assert provider.read("squid-ha/lab/node-1", outputs).outs == outputs


class Broken:
    """A site whose node cannot be reached, found out deep inside."""

    def observe(self, *_: object) -> None:
        raise Unreachable("no SSH connection", node="qsp-a", remedy="see whether it is on") from OSError("no route")


def test_an_error_of_a_host_is_one_sentence_and_not_the_way_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = binding.load("host.node")
    monkeypatch.setattr(provider, "_site", Broken())
    with pytest.raises(Unreachable) as caught:
        provider.read("squid-ha/lab/node-1", PROPS)
    printed = "".join(traceback.format_exception(caught.value))
    assert "qsp-a: no SSH connection" in printed
    assert "no route" not in printed
    assert "in observe" not in printed
