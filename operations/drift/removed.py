"""Things that are no longer declared, and of which the nodes still have something."""

from __future__ import annotations

from collections.abc import Collection

from operations.drift.compare import Nodes
from operations.drift.model import Case, Finding, Outcome
from providers.applied import Origin
from providers.connection.journal import APPLIED, KEPT

_DEPLOYED = "no longer declared; `pulumi up` removes it"
_BEGUN = "begun and never finished, and no longer declared; if `pulumi up` leaves it: declare it, up, take it out, up"


def undeclared(nodes: Nodes, declared: Collection[str]) -> list[Case]:
    """A case per such thing and node."""
    known = {APPLIED, KEPT, *declared}
    deployed = [(thing, node) for node, things in nodes.recorded.items() for thing in things if thing not in known]
    begun = [
        (thing, node)
        for node, things in nodes.journalled.items()
        for thing in things
        if thing not in known and thing not in nodes.recorded.get(node, {})
    ]
    return [
        *(_case(*each, "edited", _DEPLOYED) for each in deployed),
        *(_case(*each, "begun", _BEGUN) for each in begun),
    ]


def _case(thing: str, node: str, origin: Origin, note: str) -> Case:
    finding = Finding(thing=thing, node=node, property="", live="there", origin=origin, note=note)
    return Case(thing=thing, kind="", node=node, outcome=Outcome.DRIFT, findings=[finding])
