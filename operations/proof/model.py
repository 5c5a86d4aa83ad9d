"""What goes into a proof, and what comes out. Times are seconds since the epoch, all by the client's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

ReasonName = Literal[
    "nothing answered", "lost", "doubled", "never sent", "only local", "move not done", "no service after move"
]


OK, DENIED, LOGIN, SERVER_ERROR = 200, 403, 407, 500


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(_Frozen):
    """One request of the client, sent once and never again."""

    id: str
    """<run>-<number>; it is in the path, because Squid strips queries from its log."""
    start: float
    end: float
    status: int | None
    """HTTP status; None when no whole answer came."""
    error: str = ""
    """Why none came."""

    @property
    def replied(self) -> bool:
        """Whether the proxy gave a whole answer, of whatever status: then it has to have a record."""
        return self.status is not None

    @property
    def answered(self) -> bool:
        """Whether the proxy served the client, be it with what the page's server says of a page that it has not (404).

        What it says itself where it does not is 403, 407 or 5xx (RFC 9110, 15.5 and 15.6).
        """
        return self.status is not None and self.status not in (DENIED, LOGIN) and OK <= self.status < SERVER_ERROR


class Move(_Frozen):
    """One move of the service: when it was ordered, when it was reported done, and where the service was then."""

    source: str
    target: str
    start: float
    end: float
    arrived: str | None
    """The active node after it; None when there was none."""

    @property
    def done(self) -> bool:
        """Whether the service got where it was to go."""
        return self.arrived == self.target


class LogLine(_Frozen):
    """A line of a log, and the file that it stands in (the log itself, or a rotated one)."""

    file: str
    text: str


class Logs(_Frozen):
    """The lines of one run: of the mirror's log, read on the active node, and of each node's local log."""

    active: str
    mirror: Sequence[LogLine]
    local: Mapping[str, Sequence[LogLine]]


class Gap(_Frozen):
    """A time in which no client was answered."""

    start: float
    end: float

    @computed_field
    @property
    def seconds(self) -> float:
        """How long it was."""
        return round(self.end - self.start, 3)


class LogStand(_Frozen):
    """Where one log stands: records of this run in each of its files, and the first and last request in it."""

    node: str
    files: Mapping[str, int]
    records: int
    first: str | None
    last: str | None


class MoveOutcome(_Frozen):
    """A move, and what clients noticed of it."""

    source: str
    target: str
    seconds: float
    """From the order to the report that it was done."""
    done: bool
    gap: Gap | None
    """The longest time without an answer that touches the move."""
    failed: int
    """Requests that failed and were under way in that gap."""


class Reason(_Frozen):
    """Why a proof failed: a name that does not change, and a sentence with numbers and ids."""

    name: ReasonName
    detail: str


class Proof(_Frozen):
    """The outcome. Lists of ids are in the order of the requests."""

    run: str
    sent: int
    answered: int
    failed: int
    errors: Mapping[str, int]
    """How many requests failed for which reason."""
    recorded: int
    """Requests with a record on the mirror."""
    lost: Sequence[str]
    """The proxy replied, and the mirror has no record."""
    doubled: Sequence[str]
    """More than one record on the mirror."""
    unanswered: Sequence[str]
    """A record, though the client got no whole answer: harmless, the connection broke after or while it was served."""
    never_sent: Sequence[str]
    """A record of a request that the client does not know: then the client's own count is wrong."""
    only_local: Sequence[str]
    """In a node's local log, and not on the mirror."""
    only_mirror: Sequence[str]
    """On the mirror and in no local log, such as after a node was replaced; harmless."""
    longest_gap: Gap | None
    moves: Sequence[MoveOutcome]
    mirror: LogStand
    local: Mapping[str, LogStand]
    reasons: Sequence[Reason]
    """Why it failed; empty when it passed."""

    @computed_field
    @property
    def passed(self) -> bool:
        """The verdict."""
        return not self.reasons
