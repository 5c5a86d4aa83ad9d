"""The chart of a measurement, as self-contained SVG: seconds over hosts and over distance, every scan a dot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.drift.measure import Row

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 20, 50, 50
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_MOST_TICKS = 8


@dataclass(frozen=True)
class Panel:
    """One drawing, from its own upper left corner; ``lines`` are the medians: by the clock, and of a processor."""

    x: float
    title: str
    unit: str
    dots: Sequence[tuple[float, float]]
    lines: Sequence[tuple[str, str, str]]
    """Colour, the points, and what it is."""
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


def write(sizes: Sequence[Row], distances: Sequence[Row], path: Path) -> None:
    """Draw both next to each other, on one scale of seconds."""
    most = max((seconds for row in (*sizes, *distances) for seconds in (*row.seconds, *row.busy)), default=1.0)
    far = f"{distances[0].hosts} hosts, by distance" if distances else ""
    panels = [
        _panel(0, "seconds of a scan, by hosts", "hosts", sizes, lambda row: row.hosts, most),
        _panel(WIDTH, far, "ms of round trip", distances, lambda row: row.round_trip or 0, most),
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, autoescape=True,
    )  # fmt: skip
    text = environment.get_template("chart.svg.j2").render(
        panels=[panel for panel in panels if panel.dots], width=2 * WIDTH, height=HEIGHT,
        left=LEFT, right=WIDTH - RIGHT, top=TOP, bottom=HEIGHT - BOTTOM,
    )  # fmt: skip
    path.write_text(text, encoding="utf-8")


def _panel(x: float, title: str, unit: str, rows: Sequence[Row], of: Callable[[Row], float], most: float) -> Panel:
    widest = max(map(of, rows), default=1) or 1

    def across(value: float) -> float:
        return round(LEFT + value / widest * (WIDTH - LEFT - RIGHT), 1)

    def up(seconds: float) -> float:
        return round(HEIGHT - BOTTOM - seconds / most * (HEIGHT - TOP - BOTTOM), 1)

    def line(height: Callable[[Row], float]) -> str:
        return " ".join(f"{across(of(row))},{up(height(row))}" for row in rows)

    return Panel(
        x=x,
        title=title,
        unit=unit,
        dots=[(across(of(row)), up(seconds)) for row in rows for seconds in row.seconds],
        lines=[
            ("#2a6fbb", line(lambda row: row.median), "by the clock"),
            ("#b8860b", line(lambda row: row.median_busy), "of a processor"),
        ],
        x_ticks=[(across(of(row)), f"{of(row):g}") for row in rows],
        y_ticks=[(up(value), f"{value:g} s") for value in ticks(most)],
    )


def ticks(most: float) -> list[float]:
    """Round seconds from 0 on, not too many of them."""
    step = next((each for each in _STEPS if most / each <= _MOST_TICKS), _STEPS[-1])
    return [number * step for number in range(math.floor(most / step) + 1)]
