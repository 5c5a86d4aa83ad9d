"""A pair that exists only here: it can be disturbed, looked at, and asked, within milliseconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from operations.drill.disturbances import Aside, Disturbance
from operations.drill.steps import Stand
from operations.proof.model import LogLine, Logs, Move, Request
from operations.verify.requests import Target
from providers.connection.errors import Unreachable

RUN = "d1"


@dataclass
class World:
    """Plays eyes, hands and clients. ``sticky``: whether the service stays where it is when a node comes back."""

    sticky: bool = True
    fencing: bool = True
    serves: bool = True
    """Whether the engine brings the service back at all."""
    stuck: str = ""
    """The name of a disturbance that cannot be undone."""
    active: str = "qsp-a"
    broken: list[Disturbance] = field(default_factory=list[Disturbance])
    did: list[str] = field(default_factory=list[str])
    notices: tuple[str, ...] = ()
    number: int = 0
    sending: bool = False
    place: str = "nowhere"
    ended: list[Request] = field(default_factory=list[Request])

    # Eyes

    async def look(self, without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
        whole = not self.broken
        wrong = frozenset(each.node for each in self.broken if "clock" in each.what) if clocks else None
        mirror: dict[str, str] = dict.fromkeys(("qsp-a", "qsp-b"), "up to date" if whole else "not connected")
        stand = Stand(time.time(), self.active, self.serves, whole and self.serves, mirror, wrong_clocks=wrong)
        return replace(stand, notices=self.notices)

    async def fenced(self, node: str, since: float, without: frozenset[str]) -> bool | None:
        return self.fencing

    # Hands

    async def begin(self, disturbance: Disturbance) -> None:
        self.did.append(f"begin {disturbance.what}")
        self.broken.append(disturbance)
        if disturbance.cut_off or isinstance(disturbance, Aside):
            self.active = "qsp-b" if disturbance.node == "qsp-a" else "qsp-a"

    async def undo(self, disturbance: Disturbance) -> None:
        self.did.append(f"undo {disturbance.what}")
        if self.stuck and self.stuck in disturbance.what:
            raise Unreachable("no connection", node=disturbance.node)
        self.broken.remove(disturbance)
        if not self.sticky and (disturbance.cut_off or isinstance(disturbance, Aside)):
            self.active = disturbance.node

    async def move(self, to: str) -> Move:
        source, self.active = self.active, to
        now = time.time()
        return Move(source=source, target=to, start=now, end=now, arrived=to)

    async def clear(self) -> None:
        self.did.append("clear")
        self.notices = ()

    # Clients: every look at them sends one more.

    async def start(self, target: Target) -> None:
        self.sending = True

    async def read(self) -> list[Request]:
        self.number += 1
        full = any("full" in each.what for each in self.broken)
        self.ended.append(request(self.number, time.time(), status=200 if self.serves and not full else None))
        return list(self.ended)

    async def stop(self) -> list[Request]:
        self.sending = False
        return list(self.ended)


def request(number: int, start: float, seconds: float = 0.0, status: int | None = 200) -> Request:
    error = "" if status else "no connection"
    return Request(id=f"{RUN}-{number}", start=start, end=start + seconds, status=status, error=error)


def logs(numbers: Sequence[int]) -> Logs:
    lines = [LogLine(file="access.log", text=f"1 GET http://192.0.2.1/r/{RUN}-{number} -") for number in numbers]
    return Logs(active="qsp-a", mirror=lines, local={})
