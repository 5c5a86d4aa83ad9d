"""What is shown of a site; states are in the words of `operations.states`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from operations.drift.model import SiteReport


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Health = Literal["good", "degraded", "bad", "unknown"]


class Member(_Frozen):
    """A member of the service; ``states``: node → its state there, ``depth`` 0 for the topmost."""

    name: str
    depth: int
    states: Mapping[str, str]


class Half(_Frozen):
    """The mirror as one node sees it (`providers.roles.MirrorView`)."""

    node: str
    role: str
    connected: bool
    connection: str
    data: str
    peer_data: str
    percent: float | None
    trouble: str


class NodeClock(_Frozen):
    """A node's clock; ``offset`` in seconds, ``good`` if it is within what the site allows."""

    node: str
    service: str = ""
    source: str = ""
    stratum: int = 0
    offset: float | None = None
    good: bool = False
    problem: str = ""


class Note(_Frozen):
    """Something that the engine or its tools noted for a while."""

    kind: str
    text: str
    node: str = ""


class Scenario(BaseModel):
    """One scenario of a drill; numbers are requests, ``longest_gap`` seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    verdict: str
    longest_gap: float | None = None
    sent: int | None = None
    answered: int | None = None
    failed: int | None = None
    lost: int | None = None
    doubled: int | None = None


class Drill(BaseModel):
    """What the last drill wrote of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    started: str
    verdict: str
    scenarios: Sequence[Scenario] = ()


class Overview(_Frozen):
    """One site. ``message`` says why nobody can tell what runs, and ``exit_code`` tells.

    Then there are no ``members``, and what could be read all the same is there; of a stack that cannot be used nothing
    is. ``members`` from the top down. ``notices_trouble`` says why nobody can tell the notices of a service that can be
    told. ``drift`` and ``drill`` are read for a page only.
    """

    stack: str
    time: str
    address: str = ""
    nodes: Sequence[str] = ()
    active: str | None = None
    whole: bool = False
    healthy: bool = False
    members: Sequence[Member] = ()
    mirror: Sequence[Half] = ()
    clocks: Sequence[NodeClock] = ()
    notices: Sequence[Note] = ()
    notices_trouble: str = ""
    drill: Drill | None = None
    drift: SiteReport | None = None
    message: str = ""
    exit_code: int = 0
    doubled: str = Field(default="", exclude=True)
    """See `operations.status.Status`; to programs the members' states say it."""

    @property
    def lost(self) -> bool:
        """Whether the node that the service is told to run on takes no part any more, as before a failover."""
        return self.whole and any(note.kind == "apart" and note.node == self.active for note in self.notices)

    @computed_field
    @property
    def health(self) -> Health:
        """In one word: good; degraded (it serves, and something is wrong); bad; or unknown."""
        if self.message:
            return "unknown"
        if self.lost:
            return "bad"
        if self.healthy and all(clock.good for clock in self.clocks):
            return "good"
        return "degraded" if self.whole else "bad"
