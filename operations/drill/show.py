"""A drill's report for people to read."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations.drill.model import DrillReport, ScenarioReport
from operations.drill.scenarios import Scenario


def render(report: DrillReport) -> RenderableType:
    """A line per scenario, the findings of those that are red, what was left out, the verdict, what it ran on."""
    parts: list[RenderableType] = [_table(report)]
    for each in report.scenarios:
        parts += [Text.from_markup(f"[red]{each.name}[/red]: {escape(finding)}") for finding in each.findings]
    parts += [Text(text, style="dim") for text in notes(report)]
    parts += [Text(f"{name} was left out: {why}", style="dim") for name, why in report.left_out.items()]
    if report.ended_by:
        parts.append(Text(f"ended early: {report.ended_by}"))
    return Group(*parts, _verdict(report), Text(report.machine, style="dim"))


def listing(known: Mapping[str, Scenario], lacking: Mapping[str, str]) -> RenderableType:
    """The scenarios, and of those that cannot be done why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("scenario", "kind"):
        table.add_column(column, no_wrap=True)
    for column in ("what happens", "not here, because"):
        table.add_column(column, overflow="fold")
    for name, each in known.items():
        kind = "planned" if each.planned else "unplanned"
        table.add_row(name, kind, escape(each.title), escape(lacking.get(name, "")))
    return table


def outcome(report: ScenarioReport) -> str:
    """What became of a scenario, at once: the report of all is lost to whoever interrupts a later one."""
    counts = f"{report.sent} sent, {report.failed} failed, longest gap {seconds(report.longest_gap)}"
    return f"{report.name}: {report.verdict} ({'; '.join([counts, *report.findings])})"


def _table(report: DrillReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario", no_wrap=True)
    for column in ("verdict", "sent", "failed", "longest gap", "stated", "recovery", "lost", "doubled", "active"):
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for each in report.scenarios:
        colour = "green" if each.verdict == "green" else "bold red"
        table.add_row(
            each.name,
            f"[{colour}]{each.verdict}[/{colour}]",
            str(each.sent),
            str(each.failed),
            seconds(each.longest_gap),
            f"{each.bounds.gap:g} s",
            recovered(each),
            str(each.lost),
            str(each.doubled),
            way(each),
        )
    return table


_NUMBERS = frozenset({"sent", "failed", "longest gap", "stated", "recovery", "lost", "doubled"})


def seconds(value: float | None) -> str:
    """A time for people."""
    return "-" if value is None else f"{value:.1f} s"


BY_CLIENTS = "*"


def recovered(each: ScenarioReport) -> str:
    """The recovery for people, with a mark where only clients saw it."""
    return seconds(each.recovery) + (BY_CLIENTS if each.recovered_by == "clients" else "")


def notes(report: DrillReport) -> list[str]:
    """What the numbers and the verdicts do not say by themselves."""
    found = [f"{each.name}: {note}" for each in report.scenarios for note in each.notes]
    if any(each.recovered_by == "clients" for each in report.scenarios):
        found.append(f"{BY_CLIENTS} until clients were answered again: the engine never said that the service was away")
    return found


def way(each: ScenarioReport) -> str:
    """Where the service was, and where it is."""
    before, after = each.active_before or "-", each.active_after or "-"
    return before if before == after else f"{before} → {after}"


def _verdict(report: DrillReport) -> RenderableType:
    red = sum(each.verdict == "red" for each in report.scenarios)
    if report.verdict == "green":
        return Text.assemble(
            ("\ngreen", "bold green"), f": all of {len(report.scenarios)} scenarios, {report.clients}."
        )
    found = f"{red} of {len(report.scenarios)} scenarios"
    if not red:
        # Green alone is what was asked for and done as a whole.
        count = len(report.scenarios)
        found = f"cut short after {count} scenario{'s, which are' if count > 1 else ', which is'} green"
    return Text.assemble(("\nred", "bold red"), f": {found}, {report.clients}.")
