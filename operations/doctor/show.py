"""The doctor's report for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations.doctor.model import Report

_STYLE = {"ok": "green", "note": "yellow", "problem": "red"}


def render(report: Report) -> RenderableType:
    """A line per finding, the verdict, then what to do about each problem and each note that has a remedy."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "check", "where", "found"):
        table.add_column(column, no_wrap=column in ("", "check", "where"), overflow="fold")
    for each in report.findings:
        style = _STYLE[each.level]
        table.add_row(f"[{style}]{each.level}[/{style}]", each.check, each.where, escape(each.sentence))
    verdict = Text.from_markup(f"\n{_verdict(report)}")
    remedies = [each for each in report.findings if each.remedy and each.level != "ok"]
    lines = [Text(f"\n{each.level}: {each.where}, {each.check}\n  → {each.remedy}") for each in remedies]
    return Group(table, *lines, verdict)


def _verdict(report: Report) -> str:
    stack = escape(report.stack)
    problems = sum(each.level == "problem" for each in report.findings)
    if report.nobody_told:
        return f"[red]{stack}: no node can be reached[/red]"
    if problems:
        return f"[red]{stack}: not ready, {problems} {'problem' if problems == 1 else 'problems'}[/red]"
    return f"[green]{stack}: ready for `pulumi up`[/green]"
