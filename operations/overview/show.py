"""An overview on a terminal: what `operations.status` shows, then clocks and notices."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations import status
from operations.overview.model import NodeClock, Overview
from providers.roles import MirrorView


def render(found: Sequence[tuple[status.Status | None, Overview]], *, timed: bool = False) -> RenderableType:
    """All sites below each other; each with its name where there are several, or with name and time of reading."""
    parts: list[RenderableType] = []
    for read, overview in found:
        if timed or len(found) > 1:
            as_of = f" as of {overview.time}" if timed else ""
            parts.append(Text.from_markup(f"[bold]{escape(overview.stack)}[/bold]{as_of}"))
        parts += [_site(read, overview), Text()]
    return Group(*parts[:-1])


def _site(read: status.Status | None, overview: Overview) -> RenderableType:
    if read is None:
        message = Text.from_markup(f"[red]{escape(overview.message)}[/red]")
        return _below_each_other([message, *_beside(overview)])
    return _below_each_other([status.render(read, lost=overview.lost), *_further(overview)])


def render_beside(overview: Overview) -> RenderableType:
    """What was read of a site although nobody can tell what runs there; without the message that says so."""
    return _below_each_other(_beside(overview))


def _beside(overview: Overview) -> list[RenderableType]:
    views = {half.node: MirrorView(**half.model_dump(exclude={"node"})) for half in overview.mirror}
    return [*([status.render_mirror(views)] if views else []), *_further(overview)]


def _further(overview: Overview) -> list[RenderableType]:
    notices = [Text.from_markup(f"[yellow]notice:[/yellow] {escape(note.text)}") for note in overview.notices]
    if overview.notices_trouble:
        notices.append(Text.from_markup(f"[yellow]notices:[/yellow] not known: {escape(overview.notices_trouble)}"))
    return [*([_clocks(overview.clocks)] if overview.clocks else []), *([Group(*notices)] if notices else [])]


def _below_each_other(parts: Sequence[RenderableType]) -> RenderableType:
    """With an empty line in between."""
    return Group(*[line for part in parts for line in (Text(), part)][1:])


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
