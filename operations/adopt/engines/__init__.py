"""The engines as adoption knows them: what each reads on a node, and what it makes of it. One line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from operations.adopt.engines import lifekeeper, pacemaker
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command


class Engine(Protocol):
    """What adoption asks of an engine; the modules of this package are that."""

    FILES: Sequence[str]
    """Files to read on every node."""

    COMMANDS: Mapping[str, Command]
    """What else to ask, by name; every exit code is an answer."""

    def runs(self, facts: NodeFacts) -> bool:
        """Whether this engine keeps the node's service."""
        ...

    def describe(self, draft: Draft, nodes: Sequence[NodeFacts]) -> None:
        """Fill in what the engine knows: virtual IP, networks, mirror, time limits, its own section."""
        ...


ENGINES: Mapping[str, Engine] = {"pacemaker": pacemaker, "lifekeeper": lifekeeper}
