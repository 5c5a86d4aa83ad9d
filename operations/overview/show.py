"""An overview on a terminal: what `operations.status` shows, then clocks and notices."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations import status
from operations.overview.model import NodeClock, Overview


def render(found: Sequence[tuple[status.Status | None, Overview]]) -> RenderableType:
    """All sites below each other; each with its name where there are several."""
    parts: list[RenderableType] = []
    for read, overview in found:
        if len(found) > 1:
            parts.append(Text.from_markup(f"[bold]{escape(overview.stack)}[/bold]"))
        parts += [_site(read, overview), Text()]
    return Group(*parts[:-1])


def _site(read: status.Status | None, overview: Overview) -> RenderableType:
    if read is None:
        return Text.from_markup(f"[red]{escape(overview.message)}[/red]")
    parts: list[RenderableType] = [status.render(read)]
    if overview.clocks:
        parts += [Text(), _clocks(overview.clocks)]
    if overview.notices:
        parts.append(Text())
    parts += [Text.from_markup(f"[yellow]notice:[/yellow] {escape(note.text)}") for note in overview.notices]
    return Group(*parts)


def _clocks(clocks: Sequence[NodeClock]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("clock", "source", "stratum", "offset"):
        table.add_column(column, no_wrap=column != "source")
    for clock in clocks:
        if clock.problem or clock.offset is None:
            table.add_row(clock.node, f"[red]{escape(clock.problem)}[/red]", "-", "-")
        else:
            style = "green" if clock.good else "red"
            service = f"{clock.source} ({clock.service})" if clock.service else clock.source
            table.add_row(clock.node, service, str(clock.stratum), f"[{style}]{clock.offset:+.6f} s[/{style}]")
    return table
