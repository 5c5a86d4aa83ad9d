"""The steps of a drill as data. A scenario yields them; nothing here does anything.

A scenario is a generator: it yields a step, and is sent the `Stand` of the service after it. It never sees a host, so
it can be tested by sending it stands. Every wait has a deadline, and a missed one ends the scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from declaration.site import Site
from operations.drill.disturbances import Disturbance


@dataclass(frozen=True)
class Stand:
    """The service at one moment, as far as it can be told; ``trouble`` says why it cannot."""

    time: float = 0.0
    active: str | None = None
    whole: bool = False
    """Whether every member of the service runs on the active node."""
    healthy: bool = False
    """Whether it runs whole, nothing is degraded, both nodes take part, and the mirror is up to date on both."""
    mirror: Mapping[str, str] = field(default_factory=dict[str, str])
    """Node → its half of the mirror in a word: `up to date`, `not connected`, or the engine's word for its data."""
    online: frozenset[str] | None = None
    """Nodes that take part; None where the engine does not tell."""
    wrong_clocks: frozenset[str] | None = None
    """Nodes whose clock is seen to be off; None while nobody looks."""
    notices: tuple[str, ...] = ()
    trouble: str = ""

    def runs_on(self, node: str) -> bool:
        """Whether all of the service runs on ``node``."""
        return self.whole and self.active == node


@dataclass(frozen=True)
class Mark:
    """A moment to be shown in the report."""

    text: str


@dataclass(frozen=True)
class Disturb:
    """Break something; from here on the engine's recovery is measured."""

    disturbance: Disturbance


@dataclass(frozen=True)
class Undo:
    """Repair what was broken last."""


@dataclass(frozen=True)
class Move:
    """Move the service on purpose, and wait until it is there."""

    to: str


@dataclass(frozen=True)
class WaitFor:
    """Wait until ``holds`` of the service; ``clocks`` has the nodes' clocks looked at too."""

    what: str
    holds: Callable[[Stand], bool]
    limit: float
    clocks: bool = False


@dataclass(frozen=True)
class Served:
    """Wait until clients were answered ``times`` times, by requests that began after this step."""

    times: int = 15
    limit: float = 120.0


@dataclass(frozen=True)
class Unserved:
    """Wait until clients were not answered ``times`` times in a row, by requests that began after this step."""

    times: int = 10
    limit: float = 120.0


@dataclass(frozen=True)
class Stays:
    """From here on the service has to be on ``node``: a node that comes back does not take it away."""

    node: str


@dataclass(frozen=True)
class Fenced:
    """Ask the engine whether ``node`` was fenced since the last disturbance, for at most ``limit`` seconds."""

    node: str
    limit: float = 60.0


@dataclass(frozen=True)
class Crash:
    """``node`` is lost now with what it had not written: its last records may be missing, within the bound."""

    node: str


Step: TypeAlias = Mark | Disturb | Undo | Move | WaitFor | Served | Unserved | Stays | Fenced | Crash
Steps: TypeAlias = Generator[Step, Stand, None]


@dataclass(frozen=True)
class View:
    """What a scenario knows of the site. ``can``: what somebody outside of the nodes can do to them, see `plug`.

    ``patience``: seconds to wait for what the engine should do; ``lasts``: after how many seconds a disturbance on a
    node undoes itself, whatever becomes of the drill.
    """

    site: Site
    active: str
    standby: str
    can: frozenset[str] = frozenset()
    patience: float = 300.0
    lasts: float = 240.0
