"""A node's clock as its time service sees it, whatever service that is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """``offset`` in seconds, positive when the system's clock is fast; ``stratum`` is the node's own.

    ``source`` is the address of the selected source, '' when there is none; ``problem`` says why there is none.
    """

    source: str = ""
    stratum: int = 0
    offset: float = 0.0
    problem: str = ""

    def within(self, max_offset: float) -> bool:
        """Whether a source is selected and the clock differs from it by no more than ``max_offset`` seconds."""
        return not self.problem and abs(self.offset) <= max_offset

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        return f"source {self.source}, stratum {self.stratum}, offset {self.offset:+.6f} s"


NO_SOURCE = Clock(problem="no source is selected")
