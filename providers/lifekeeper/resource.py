"""What is said of a resource of a hierarchy, whichever kit it is of, and what a kit adds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from providers.contract import State
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance, View

Route = Literal["documented", "lkcli"]
KIT, EQUIVALENCY, INITIALIZE, PEER_PRIORITY = "kit", "equivalency", "initialize", "peer_priority"
FOUND_ONLY = (KIT, EQUIVALENCY, INITIALIZE, PEER_PRIORITY)
"""Properties of `NodeMember` that are never declared, and shown where they are not as they have to be."""
IN_SERVICE_AT_START, LEFT_OUT_AT_START = "AUTORES_ISP", "INIT_OSU"
"""Initializations: LifeKeeper puts a resource in service when it starts, or leaves it out of service. The third one,
INIT_ISP, brings it in service too, and which kits have it is unknown: it is left alone."""


class NodeMember(State):
    """A resource as it is on one node. ``properties`` are the kit's own, as the instance's id and info show them."""

    priority: str | None = None
    switchback: str | None = None
    depends_on: list[str] = Field(default_factory=list[str])
    properties: dict[str, str] = Field(default_factory=dict[str, str])


class Member(State):
    """``tag`` on the nodes by name, the most preferred first. ``beside``: tags of the same service, which tell where it
    runs; ``route``: see `declaration.engines.lifekeeper`."""

    tag: str
    nodes: dict[str, NodeMember | None]
    beside: list[str] = Field(default_factory=list[str])
    route: Route = "documented"

    @field_validator("nodes")
    @classmethod
    def _most_preferred_first(cls, nodes: dict[str, NodeMember | None]) -> dict[str, NodeMember | None]:
        """By their priorities: on the way through Pulumi the order of a map is lost (`providers.wire`)."""
        return dict(sorted(nodes.items(), key=lambda each: _rank(each[1])))


def _rank(node: NodeMember | None) -> float:
    told = node.priority if node else None
    return float(told) if told and told.isdecimal() else math.inf


class Unlike(NamedTuple):
    """What is ``found`` and not as ``wanted``, and that nobody knows a command for: ``remedy`` says what to do."""

    found: str
    wanted: str
    remedy: str


@dataclass(frozen=True)
class Kit:
    """What one kit adds. ``kind`` as in the grammar's ``resources``; ``create`` and ``extend`` make steps;
    ``properties`` reads an instance: a value of None is not shown and taken for what is wanted. ``along``: property →
    tag of a resource that is made along with this one; shown while that is missing on a node. ``by_hand``: property
    that is never declared → how it is unlike what it has to be on a node; shown then, and to be taken back by hand."""

    create: Callable[[Member, str], list[Step]]
    extend: Callable[[Member, str, str], list[Step]]
    properties: Callable[[Member, str, Instance], Mapping[str, str | None]]
    app: str
    type: str
    along: Mapping[str, Callable[[Member], str]] = field(default_factory=dict[str, "Callable[[Member], str]"])
    by_hand: Mapping[str, Callable[[Member, View], Unlike | None]] = field(
        default_factory=dict[str, "Callable[[Member, View], Unlike | None]"]
    )
