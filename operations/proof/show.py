"""A proof for people to read."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from operations.proof.model import Gap, LogStand, MoveOutcome, Proof


def render(proof: Proof) -> RenderableType:
    """Requests, moves, logs, verdict."""
    return Group(
        _requests(proof), Text(), *([_moves(proof.moves), Text()] if proof.moves else []), _logs(proof), _verdict(proof)
    )


def _requests(proof: Proof) -> Table:
    table = _table("requests", "")
    for name, value in (
        ("sent", str(proof.sent)),
        ("answered", str(proof.answered)),
        ("failed", f"{proof.failed}{_errors(proof)}"),
        ("with a record on the mirror", str(proof.recorded)),
        ("answered, without a record (lost)", _alarming(proof.lost)),
        ("with more than one record (doubled)", _alarming(proof.doubled)),
        ("recorded, but not answered (harmless)", str(len(proof.unanswered))),
        ("longest time without an answer", _seconds(proof.longest_gap)),
    ):
        table.add_row(name, value)
    return table


def _errors(proof: Proof) -> str:
    parts = [f"{times} {error}" for error, times in sorted(proof.errors.items(), key=lambda item: -item[1])]
    return f"  ({'; '.join(parts)})" if parts else ""


def _alarming(ids: Sequence[str]) -> str:
    return f"[red]{len(ids)}[/red]" if ids else "0"


def _moves(moves: Sequence[MoveOutcome]) -> Table:
    table = _table("move", "took", "clients without an answer", "failed requests", "done")
    for move in moves:
        table.add_row(
            f"{move.source} → {move.target}",
            f"{move.seconds:.1f} s",
            _seconds(move.gap),
            str(move.failed),
            "yes" if move.done else "[red]no[/red]",
        )
    return table


def _logs(proof: Proof) -> Table:
    table = _table("log", "node", "records of this run", "first", "last")
    _log_rows(table, "mirror", proof.mirror)
    for stand in proof.local.values():
        _log_rows(table, "local", stand)
    if proof.only_mirror:
        table.add_row("", "", f"{len(proof.only_mirror)} on the mirror are in no local log", "", "")
    return table


def _log_rows(table: Table, what: str, stand: LogStand) -> None:
    table.add_row(what, stand.node, str(stand.records), stand.first or "-", stand.last or "-")
    for file, records in stand.files.items():
        table.add_row(f"  [dim]{file}[/dim]", "", f"[dim]{records}[/dim]", "", "")


def _verdict(proof: Proof) -> RenderableType:
    if proof.passed:
        return Text.from_markup(
            f"\n[bold green]passed[/bold green]: every one of {proof.answered} answered requests"
            " has exactly one record on the mirror."
        )
    lines = "\n".join(f"  {reason.name}: {reason.detail}" for reason in proof.reasons)
    return Text.assemble(("\nfailed", "bold red"), f":\n{lines}")


def _seconds(gap: Gap | None) -> str:
    return f"{gap.seconds:.2f} s" if gap else "-"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
