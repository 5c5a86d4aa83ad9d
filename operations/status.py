"""What a site is doing now: where its service runs, and how its mirror stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from declaration.site import Site
from operations.engines import Tree, engine_of
from operations.health import at_once, is_sound, is_whole
from operations.states import state_in_words
from providers.connection.cluster import Cluster
from providers.roles import UP_TO_DATE, MirrorView

_NONE = "-"
_GOOD = {"in service": "green", "standby": "dim"}


@dataclass(frozen=True)
class Status:
    """``mirror``: node → its view; empty without a mirror."""

    site: Site
    tree: Tree
    mirror: Mapping[str, MirrorView] = field(default_factory=dict[str, MirrorView])

    @property
    def whole(self) -> bool:
        """Whether every member of the service runs, all on one node."""
        return is_whole(self.tree)

    @property
    def doubled(self) -> str:
        """Where the service runs, in words, where it runs on two nodes at once; else ''."""
        return " and ".join(f"on {name}" if all_ else f"in part on {name}" for name, all_ in at_once(self.tree).items())

    @property
    def sound(self) -> bool:
        """Whether the service runs whole on one node with nothing degraded, and its mirror is the same on both."""
        return is_sound(self.tree, self.mirror)


async def read_status(cluster: Cluster, site: Site) -> Status:
    """Ask the cluster. Raises `Unknown` where no node can tell what runs."""
    runtime = engine_of(site).runtime
    tree = await runtime.tree(cluster)
    return Status(site, tree, await runtime.mirror(cluster) if site.mirror else {})


def render(status: Status, *, lost: bool = False) -> RenderableType:
    """The service tree from the top down, a column per node; below it the mirror.

    ``lost``: the node on which it is told to run takes no part any more, and the others tell what they last knew.
    """
    names = [node.name for node in status.site.nodes]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("service")
    for name in names:
        table.add_column(
            f"{name} (active)" if status.whole and not lost and name == status.tree.active else name, no_wrap=True
        )
    for depth, (member, states) in enumerate(reversed(list(status.tree.states.items()))):
        table.add_row(f"{'  ' * depth}{member}", *(_state(states.get(name, _NONE)) for name in names))
    address = f"{status.site.virtual_ip}:{status.site.squid.port}"
    heading = Text.from_markup(f"The proxy {escape(address)} {_where(status, lost=lost)}.\n")
    return Group(heading, table, *([Text(), render_mirror(status.mirror)] if status.mirror else []))


def _where(status: Status, *, lost: bool) -> str:
    if status.doubled:
        return f"[red]runs {status.doubled} at once[/red]"
    if not status.whole:
        return "[red]does not run as a whole on any node[/red]"
    if lost:
        return f"[red]ran on {status.tree.active}, which takes no part any more: it has not failed over yet[/red]"
    return f"runs on {status.tree.active}"


def _state(text: str) -> str:
    word = state_in_words(text) if text != _NONE else text
    style = _GOOD.get(word, "yellow")
    return f"[{style}]{word}[/{style}]"


def render_mirror(views: Mapping[str, MirrorView]) -> Table:
    """A line per node's view of the mirror."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("mirror", "role", "connection", "data here", "data there", "in sync"):
        table.add_column(column, no_wrap=column != "connection")
    for name, view in views.items():
        if view.trouble:
            table.add_row(name, "-", f"[red]{escape(view.trouble)}[/red]", "-", "-", "-")
        else:
            percent = "-" if view.percent is None else f"{view.percent:.1f} %"
            table.add_row(name, view.role or "-", view.connection, _data(view.data), _data(view.peer_data), percent)
    return table


def _data(state: str) -> str:
    return f"[green]{state}[/green]" if state == UP_TO_DATE else f"[yellow]{state or '-'}[/yellow]"
