"""Things that were deployed and are no longer declared: the next `pulumi up` will remove them."""

from __future__ import annotations

from collections.abc import Collection

from operations.drift.compare import Nodes
from operations.drift.model import Case, Finding, Outcome


def undeclared(nodes: Nodes, declared: Collection[str]) -> list[Case]:
    """A case per such thing and node."""
    return [_case(thing, node) for node, things in nodes.recorded.items() for thing in things if thing not in declared]


def _case(thing: str, node: str) -> Case:
    finding = Finding(
        thing=thing,
        node=node,
        property="",
        live="there",
        origin="edited",
        note="no longer declared; `pulumi up` removes it",
    )
    return Case(thing=thing, kind="", node=node, outcome=Outcome.DRIFT, findings=[finding])
