"""What a long program tells while it runs: numbered steps and their times, with and without a terminal."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass
class Step:
    """A step under way; ``result`` is what its last line says."""

    title: str
    began: float = field(default_factory=time.monotonic)
    result: str = "done"
    seconds: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began


class Narrator:
    """Prints the steps of one run, and their times in the end."""

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self.steps: list[Step] = []
        self._count = steps
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Generator[Step]:
        """A heading before, the result and the time after; a failure says after how long."""
        current = Step(title)
        self.steps.append(current)
        self.console.print(f"\n[bold cyan]{len(self.steps)}/{self._count}[/bold cyan] [bold]{escape(title)}[/bold]")
        try:
            yield current
        except BaseException:
            self.console.print(f"    [red]failed[/red] after {current.elapsed:.1f} s")
            raise
        current.seconds = current.elapsed
        self.console.print(f"    {current.result} ({current.seconds:.1f} s)")

    def say(self, text: str) -> None:
        """A line of progress within the step, with the time since it began."""
        self.console.print(f"    [dim]{self.steps[-1].elapsed:6.1f} s[/dim]  {escape(text)}")

    def times(self) -> Table:
        """All steps with their times."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("step")
        table.add_column("time", justify="right", no_wrap=True)
        for step in self.steps:
            table.add_row(escape(step.title), f"{step.seconds:.1f} s")
        table.add_row("in all", f"{self.elapsed:.1f} s")
        return table
