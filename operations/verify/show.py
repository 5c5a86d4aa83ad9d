"""A report for people to read."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations.verify.model import FileChange, Report


def render(report: Report) -> RenderableType:
    """The files that a rotation changed, where there was one; the checks; the verdict."""
    files = [_files(report.files), Text()] if report.files else []
    return Group(*files, _checks(report), _verdict(report))


def _checks(report: Report) -> Table:
    table = _table("check", "where", "verdict", "seen")
    for check in report.checks:
        verdict = "[green]passed[/green]" if check.passed else "[bold red]failed[/bold red]"
        table.add_row(escape(check.name), escape(check.where), verdict, escape(check.seen))
    return table


def _files(changes: Sequence[FileChange]) -> Table:
    table = _table("rotated on", "file", "before", "after", "")
    last = ""
    for change in changes:
        name = "" if change.node == last else change.node
        table.add_row(name, escape(change.file), _size(change.before), _size(change.after), escape(change.became))
        last = change.node
    return table


def _size(size: int | None) -> str:
    return "-" if size is None else f"{size} B"


def _verdict(report: Report) -> RenderableType:
    failed = sum(not check.passed for check in report.checks)
    if report.passed:
        return Text.assemble(("\npassed", "bold green"), f": all of {len(report.checks)} checks.")
    return Text.assemble(("\nfailed", "bold red"), f": {failed} of {len(report.checks)} checks.")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"verdict", "before", "after"})
    return table
