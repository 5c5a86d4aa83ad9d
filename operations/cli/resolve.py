"""`squid-ha resolve split-brain`: throw away what one half of the mirror has, once both logs are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from operations.cli._arguments import AsJson, StackName, nodes, pair_of
from operations.cli._console import err, out, tell

if TYPE_CHECKING:
    from operations.actions import Saved

app = typer.Typer(help="End a split brain, which only a person can decide.")
Victim = Annotated[
    str,
    typer.Option("--victim", metavar="NODE", help="The node whose data is thrown away.", autocompletion=nodes),
]


@app.callback()
def options() -> None:
    """End a split brain, which only a person can decide."""


@app.command(name="split-brain")
def split_brain(
    stack: StackName,
    victim: Victim,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a split brain: both halves' logs are saved and compared, then what only the victim has is thrown away.

    The saved logs stay on the nodes until you remove them.
    """
    from operations.actions import hold, resolve, save
    from operations.cli._ask import typed

    hosts = pair_of(stack, victim)
    cluster = hosts.cluster(progress=tell)
    hosts.run(hold(cluster))
    saved = hosts.run(save(cluster, hosts.site, victim))
    if saved:
        _show(saved, victim)
        if not yes:
            typed(
                f"What only {victim} has will be deleted from the mirror. Its log records stay in the folders above.",
                victim,
                "--yes",
            )
    done = hosts.run(resolve(cluster, hosts.site, stack, victim, saved))
    if done.saved != saved:
        err.print(_once_more(saved, done.saved, victim), markup=False)
        _show(done.saved, victim)
    if as_json:
        out.document(done.model_dump_json(indent=2))
    elif done.resolved:
        out.print(
            f"{victim} is being copied from {done.survivor}; `squid-ha status {stack}` tells how far.", markup=False
        )
    else:
        out.print("There is no split brain, so nothing was done.", markup=False)


def _once_more(before: list[Saved], after: list[Saved], victim: str) -> str:
    first, last = (next(half.only_here for half in saved if half.node == victim) for saved in (before, after))
    more = f", with {last - first} more records that only it has" if last > first else ""
    return f"The logs of {victim} were saved once more after the service had left it{more}:"


def _show(saved: list[Saved], victim: str) -> None:
    err.print(_table(saved, victim))
    for half in saved:
        if half.first:
            of = "" if len(half.first) == half.only_here else f", the first {len(half.first)}"
            err.print(f"Only on {half.node}{of}:", markup=False)
            for line in half.first:
                err.print(f"  {line}", markup=False, soft_wrap=True, highlight=False)


def _table(saved: list[Saved], victim: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("half", "records only here", "logs saved on that node in"):
        table.add_column(column)
    for half in saved:
        more = "" if half.whole else " at least"
        name = f"{half.node} (victim)" if half.node == victim else half.node
        table.add_row(name, f"{half.only_here}{more}", escape(half.folder))
    return table
