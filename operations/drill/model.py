"""What a drill reports. Times are seconds since the epoch, by the clock of the machine that the drill runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from operations.proof.model import Request

Verdict = Literal["green", "red"]

RecoveredBy = Literal["engine", "clients"]

FindingName = Literal[
    "not ready",
    "gap",
    "nothing answered",
    "not served",
    "lost",
    "doubled",
    "not counted",
    "not reached",
    "not fenced",
    "moved back",
    "not whole",
    "left behind",
    "went wrong",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """Why a scenario is red: a name that does not change, and a sentence with numbers and ids."""

    name: FindingName
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


class Moment(_Frozen):
    """Something that the drill did, or saw for the first time."""

    time: float
    text: str


class Sample(_Frozen):
    """The service as the engine told it: the active node if there is one, and whether all of the service runs there."""

    time: float
    active: str | None
    whole: bool


class Bounds(_Frozen):
    """What a scenario may cost: seconds without an answer, and records: a number, and the last seconds of a node.

    ``local_suffices``: while it is broken, a record in a node's local log will do.
    """

    gap: float
    lost: int
    lost_seconds: float
    local_suffices: bool = False


class ScenarioReport(_Frozen):
    """One scenario: what clients saw, what the logs have of it, and what became of the service."""

    name: str
    title: str
    verdict: Verdict
    started: float
    ended: float
    bounds: Bounds
    sent: int
    answered: int
    failed: int
    errors: Mapping[str, int]
    """How many requests failed for which reason."""
    longest_gap: float | None
    """Seconds; the longest time in which no client was answered."""
    gap: tuple[float, float] | None
    """From when until when that was."""
    recovery: float | None
    """Seconds from the disturbance until the service was back, as ``recovered_by`` says; None if it never was away, as
    far as the drill saw, or was not back at the end."""
    recovered_by: RecoveredBy | None = None
    """`engine`: until the engine reported the service whole again. `clients`: the engine was never seen to report it
    otherwise; the longest gap that the disturbance made, as far as it comes after the disturbance."""
    recorded: int
    """Requests with a record."""
    lost: int
    """Requests that were answered and have no record."""
    lost_ids: Sequence[str]
    doubled: int
    """Requests with more than one record."""
    doubled_ids: Sequence[str]
    active_before: str | None
    active_after: str | None
    whole: bool
    """Whether the cluster was whole again at the end."""
    fenced: Mapping[str, bool | None]
    """Nodes that were lost, and whether the engine says that they were fenced; None where it does not tell."""
    findings: Sequence[str]
    """Why it is red, each as `name: sentence`."""
    notes: Sequence[str] = Field(default_factory=list[str])
    """What the verdict says nothing of, each as a sentence."""
    moments: Sequence[Moment]
    samples: Sequence[Sample]
    requests: Sequence[Request]
    """All of them, for the chart."""


class DrillReport(_Frozen):
    """A drill of one site. ``left_out``: scenarios that this site or this machine cannot do, and why."""

    site: str
    started: str
    """ISO 8601, UTC."""
    ended: str
    verdict: Verdict
    engine: str
    phase: int
    clients: str
    """Where the requests came from, and how many a second."""
    machine: str
    """What the drill ran on."""
    scenarios: Sequence[ScenarioReport]
    left_out: Mapping[str, str]
    ended_by: str = ""
    """What ended it before its end, an interrupt or an error, and whether all is as before; empty where nothing did."""
