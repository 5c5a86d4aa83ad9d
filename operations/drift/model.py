"""What a scan found: a case per thing and node, and the findings in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

from providers.applied import Origin


class Outcome(StrEnum):
    """What became of a case, a site or a scan."""

    CLEAN = "clean"
    DRIFT = "drift"
    UNREACHABLE = "unreachable"
    """Nobody can tell: no connection, or the node cannot say now."""
    ERROR = "error"
    """Looking did not work."""


_ORDER = tuple(Outcome)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that counts for all: error before unreachable before drift before clean."""
    return max(outcomes, key=_ORDER.index, default=Outcome.CLEAN)


ORIGINS: Mapping[Origin, str] = {
    "host": "changed on the host",
    "edited": "edited, not deployed",
    "both": "edited, and changed on the host",
    "begun": "begun, not finished",
    "unknown": "not known",
}
"""In words."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """One property that is not as declared; ``node`` is empty where it is the cluster's.

    ``property`` is empty where the thing as a whole is meant. ``declared`` and ``live`` are None for "not there".
    """

    thing: str
    node: str
    property: str
    declared: Any = None
    live: Any = None
    origin: Origin
    note: str = ""
    """What the values do not say."""


class Case(_Frozen):
    """One thing on one node, or on the cluster as a whole (``node`` empty)."""

    thing: str
    kind: str
    node: str
    outcome: Outcome
    findings: Sequence[Finding] = ()
    message: str = ""
    """Why nobody can tell, or what did not work."""
    remedy: str = ""
    """What to do about it, where that is known."""
    silent: str = ""
    """The node that did not answer, where that is why."""

    @property
    def told(self) -> str:
        """The message, and what to do about it on a line of its own."""
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message


class SiteReport(_Frozen):
    """All cases of a site; ``message`` says what kept the site as a whole from being looked at."""

    stack: str
    cases: Sequence[Case] = ()
    notices: Sequence[str] = ()
    """What is worth knowing and no drift."""
    seconds: float = 0.0
    message: str = ""
    failed: Outcome = Outcome.CLEAN
    """What became of the site as a whole, where it was not looked at."""

    @computed_field
    @property
    def outcome(self) -> Outcome:
        """The worst of all cases."""
        return worst([self.failed, *(case.outcome for case in self.cases)])

    @property
    def findings(self) -> list[Finding]:
        """Those of all cases."""
        return [finding for case in self.cases for finding in case.findings]


class Report(_Frozen):
    """A scan of one or more sites."""

    started: str
    """Time in UTC, ISO 8601."""
    seconds: float
    sites: Sequence[SiteReport]

    @computed_field
    @property
    def outcome(self) -> Outcome:
        """The worst of all sites."""
        return worst(site.outcome for site in self.sites)
