"""The command lines as a table for people, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from operations.plan.commands import Row

_STYLES = {"assumed": "yellow", "confirmed": "green", "documented": "green", "system": "dim"}
_MEANS = {
    "confirmed": "stands in scripts that the maker published",
    "documented": "stands in the maker's documentation",
    "assumed": "nobody has seen it: compared with the product's own help on each node before anything is written",
    "system": "a program of the operating system",
}
_LEFT_OUT = "Not among them: lines that only ask, and change nothing (docs/lifekeeper-commands.md, What is only asked)."


def render(rows: Sequence[Row]) -> RenderableType:
    """What each line is for, and the line; below, how many are how certain."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "node", "certainty", "what for"):
        table.add_column(column, no_wrap=column != "what for")
    for row in rows:
        certainty = Text(row.certainty, style=_STYLES.get(row.certainty, ""))
        table.add_row(str(row.number), row.node, certainty, Text.assemble(row.page, "\n", (row.command, "bold")))
    counts = {name: sum(row.certainty == name for row in rows) for name in _MEANS}
    told = "\n".join(f"{count} {name}: {_MEANS[name]}" for name, count in counts.items() if count)
    return Group(table, Text(f"\n{told}\n{_LEFT_OUT}"))


def as_data(stack: str, rows: Sequence[Row]) -> dict[str, object]:
    """For programs."""
    return {"stack": stack, "commands": [asdict(row) for row in rows]}
