"""What Pulumi is told of a thing whose change was begun and never finished."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any, cast

import pytest

from providers import binding, wire
from providers.connection.errors import Refused, Unreachable
from providers.contract import Observed, Present, State
from providers.host import names, node

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


class Declared:
    """A site of which only the declaration counts."""

    def __init__(self, *, takeover: bool) -> None:
        self.site = SimpleNamespace(takeover=takeover)

    def sealed(self, _kind: str, wanted: State) -> State:
        return wanted


def refused(kind: str, wanted: State, was: str, now: str, *, takeover: bool = False) -> list[str]:
    provider = binding.load(kind)
    provider._site = cast("Any", Declared(takeover=takeover))
    olds, news = ({binding.IDENTITY: f"{owner}/node-1", **wire.encode(wanted)} for owner in (was, now))
    return [failure.reason for failure in provider.check(olds if was else {}, news).failures]


def test_a_stack_that_was_renamed_is_told_so_at_the_preview_and_what_it_was_called() -> None:
    """`up` would refuse the node as another stack's; and with `takeover` what was dropped could not be deleted."""
    (said,) = refused("host.node", WANTED, "squid-ha/lyon", "squid-ha/oslo")
    assert "this stack was squid-ha/lyon when this node was claimed, and is squid-ha/oslo now" in said
    assert "`pulumi stack rename lyon -s oslo`" in said
    (said,) = refused("host.node", WANTED, "squid/lyon", "squid-ha/lyon")
    assert "`name: squid` in Pulumi.yaml" in said
    assert refused("host.node", WANTED, "squid-ha/lyon", "squid-ha/lyon") == []
    assert refused("host.node", WANTED, "", "squid-ha/lyon") == []
    assert refused("host.node", WANTED, "squid-ha/lyon", "squid-ha/oslo", takeover=True) == []
    others = names.Wanted(nodes={})
    assert refused("host.names", others, "squid-ha/lyon", "squid-ha/oslo") == [], "said once, not for each thing"


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


@pytest.mark.parametrize("method", ["diff", "update", "read", "delete"])
def test_a_state_that_a_newer_version_wrote_is_told_as_such(method: str) -> None:
    provider = binding.load("host.names")
    older = {binding.IDENTITY: "squid-ha/lab/names", "nodes": {}}
    newer = {**older, "nodes": {"qsp-a": {"of_tomorrow": "a secret"}}}
    call = {
        "diff": lambda: provider.diff("", newer, older),
        "update": lambda: provider.update("", newer, older),
        "read": lambda: provider.read("", newer),
        "delete": lambda: provider.delete("", newer),
    }[method]
    with pytest.raises(
        Refused, match=r"lab/names .* reads: nodes.qsp-a\n.* import the state that was exported"
    ) as told:
        call()
    assert "secret" not in str(told.value)
