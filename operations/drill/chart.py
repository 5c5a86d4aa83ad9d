"""The chart of a drill: latency and errors over time, the moments marked, and where the service was.

A self-contained SVG, a panel per scenario; or a page with the numbers above and the same panels below. Drawn from the
report alone. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from operations.drill.model import DrillReport, Sample, ScenarioReport
from operations.drill.show import notes, recovered, seconds, way
from operations.files import write_whole
from operations.xml_text import fit

WIDTH = 960
LEFT, RIGHT, TOP = 70, 20, 68
HEAD = 58
"""Height of what is above the panels."""
PLOT = 180
FAILED = 34
STRIP = 18
LINE = 17
FLOOR, CEILING = 0.003, 10.0
"""Seconds at the lower and the upper edge of the plot; what is beyond is drawn at the edge."""
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
_MOST_TICKS = 10
_LATENCIES = ((0.01, "10 ms"), (0.1, "0.1 s"), (1.0, "1 s"), (10.0, "10 s"))
_COLOURS = ("#2a6fbb", "#b8860b")


@dataclass(frozen=True)
class Dot:
    """A request that was answered."""

    x: float
    y: float


@dataclass(frozen=True)
class Flag:
    """A moment: its line, its number, and what happened."""

    x: float
    number: int
    label_y: float
    text: str
    text_y: float


@dataclass(frozen=True)
class Bar:
    """A time in which the service was somewhere; ``node`` is empty where it was in parts or nowhere."""

    x: float
    width: float
    colour: str
    node: str


@dataclass(frozen=True)
class Panel:
    """One scenario's drawing, from its own upper edge."""

    report: ScenarioReport
    y: float
    height: float
    dots: Sequence[Dot]
    failed: Sequence[float]
    gap: tuple[float, float] | None
    flags: Sequence[Flag]
    notes: Sequence[tuple[float, str]]
    bars: Sequence[Bar]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


def svg(report: DrillReport) -> str:
    """The panels alone."""
    panels, y = list[Panel](), float(HEAD)
    for each in report.scenarios:
        panels.append(panel(each, y))
        y += panels[-1].height
    return _environment().get_template("chart.svg.j2").render(report=report, panels=panels, height=y, **_PLACES)


def html(report: DrillReport) -> str:
    """The page."""
    template = _environment().get_template("report.html.j2")
    said = {"seconds": seconds, "recovered": recovered, "way": way, "notes": notes(report)}
    return template.render(report=report, chart=Markup(svg(report)), **said)  # noqa: S704 our own


def write(report: DrillReport, path: Path) -> None:
    """A page, or a drawing for a name that ends in `.svg`; whole or not at all."""
    text = svg(report) if path.suffix == ".svg" else html(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, fit(text).encode())


def panel(report: ScenarioReport, y: float) -> Panel:
    """Where everything of a scenario is drawn."""
    begin = report.started
    length = max(report.ended - begin, 1.0)

    def at(time: float) -> float:
        share = min(max((time - begin) / length, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    lines_from = TOP + FAILED + PLOT + STRIP + 46.0
    answered = [each for each in report.requests if each.answered]
    return Panel(
        report=report,
        y=y,
        height=lines_from + LINE * (len(report.moments) + len(report.notes)) + 24,
        dots=[Dot(at(each.start), height_of(each.end - each.start)) for each in answered],
        failed=[at(each.start) for each in report.requests if not each.answered],
        gap=(at(report.gap[0]), at(report.gap[1])) if report.gap is not None else None,
        flags=[
            Flag(
                at(moment.time),
                number,
                TOP - 6 - 12 * ((number - 1) % 3),
                f"{moment.time - begin:6.1f} s  {moment.text}",
                lines_from + LINE * (number - 1),
            )
            for number, moment in enumerate(report.moments, 1)
        ],
        notes=[(lines_from + LINE * line, text) for line, text in enumerate(report.notes, len(report.moments))],
        bars=_bars(report, at),
        x_ticks=[(at(begin + tick), f"{tick:g} s") for tick in ticks(length)],
        y_ticks=[(height_of(value), text) for value, text in _LATENCIES],
    )


def height_of(latency: float) -> float:
    """Where a latency is drawn: by its logarithm."""
    inside = min(max(latency, FLOOR), CEILING)
    share = math.log(inside / FLOOR) / math.log(CEILING / FLOOR)
    return round(TOP + FAILED + PLOT * (1 - share), 1)


def ticks(length: float) -> list[float]:
    """Round times from 0 on, not too many of them."""
    step = next((each for each in _STEPS if length / each <= _MOST_TICKS), _STEPS[-1])
    return [float(tick) for tick in range(0, int(length) + 1, step)]


def _bars(report: ScenarioReport, at: Callable[[float], float]) -> list[Bar]:
    nodes = sorted({each.active for each in report.samples if each.active})
    colours = {node: _COLOURS[number % len(_COLOURS)] for number, node in enumerate(nodes)}
    ends = [*report.samples, Sample(time=report.ended, active=None, whole=False)]
    bars: list[Bar] = []
    for sample, following in pairwise(ends):
        node = sample.active if sample.whole and sample.active else ""
        x = LEFT if not bars else at(sample.time)
        bars.append(Bar(x, round(max(at(following.time) - x, 0.5), 1), colours.get(node, "#d0d0d0"), node))
    return bars


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


_PLACES = {
    "width": WIDTH,
    "head": HEAD,
    "left": LEFT,
    "right": WIDTH - RIGHT,
    "top": TOP,
    "plot_top": TOP + FAILED,
    "plot_bottom": TOP + FAILED + PLOT,
    "strip": STRIP,
    "failed_y": TOP + 11,
}
