"""Clients that ask through the proxy all the time, and what each step of a test cost them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import control, demo, load
from lab.errors import LabError
from operations.proof.gaps import gaps, longest, touching
from operations.proof.model import Move

ENOUGH = 10
"""Answers after which clients count as served."""


@dataclass(frozen=True)
class Cost:
    """One step: how long it took, and what of that clients noticed. ``pause``: longest time without an answer, s."""

    step: str
    seconds: float
    sent: int
    failed: int
    pause: float


def cost(step: str, begin: float, end: float, records: Sequence[load.Record]) -> Cost:
    """What happened to requests that were under way between ``begin`` and ``end``."""
    during = [record for record in records if record.end >= begin and record.start <= end]
    requests = [demo.request_of(record) for record in records]
    gap = longest(touching(gaps(requests), Move(source="", target="", start=begin, end=end, arrived=None)))
    return Cost(
        step=step,
        seconds=end - begin,
        sent=len(during),
        failed=sum(not record.answered for record in during),
        pause=gap.end - gap.start if gap else 0.0,
    )


def table(costs: Sequence[Cost]) -> str:
    """For people: a line per step."""
    rows = [("step", "took", "requests", "failed", "longest time without an answer")]
    rows += [
        (each.step, f"{each.seconds:.0f} s", f"{each.sent}", f"{each.failed}", f"{each.pause:.2f} s") for each in costs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


@dataclass
class Clients:
    """Requests at ``rate`` a second through ``proxy`` for as long as the block lasts; ``costs`` of its steps."""

    run: str
    proxy: str
    rate: float = 8.0
    costs: list[Cost] = field(default_factory=list[Cost])
    file: Path = Path()

    def __enter__(self) -> Self:
        with contextlib.suppress(LabError):  # left over from a test that failed
            control.call("end", name=load.SERVICE)
        self.file = load.start(self.run, rate=self.rate, proxy=self.proxy)
        self.served()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        load.stop(self.file)

    def served(self, since: float = 0.0, limit: float = 120.0) -> None:
        """Wait until clients are answered (again). Raises LabError."""
        demo.await_answers(lambda: [each for each in load.read(self.file) if each.start >= since], ENOUGH, limit)

    @contextlib.contextmanager
    def step(self, name: str) -> Generator[None]:
        """A step of which the cost is taken; it ends when clients are served afterwards."""
        begin = time.time()
        yield
        end = time.time()
        self.served(end)
        self.costs.append(cost(name, begin, end, load.read(self.file)))
