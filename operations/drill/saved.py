"""Where reports of drills are kept: ``.state/drills/<stack>/<time>.json``, and ``latest.json`` beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from operations.drill.model import DrillReport
from operations.files import try_each, write_whole
from operations.project import project_root


def folder(stack: str, root: Path | None = None) -> Path:
    """The folder of a stack's reports."""
    return (root or project_root()) / ".state" / "drills" / stack


def save(report: DrillReport, root: Path | None = None) -> Path:
    """Keep a report; its file. Each file is complete or not there, and where one cannot be written the other is.

    Raises `StackTrouble`, and `OSError` where the folder cannot be made.
    """
    where = folder(report.site, root)
    where.mkdir(parents=True, exist_ok=True)
    name = report.started.replace(":", "").replace("+0000", "Z")
    text = (report.model_dump_json(indent=2) + "\n").encode()
    kept = where / f"{name}.json"
    try_each(partial(write_whole, path, text) for path in (kept, latest(report.site, root)))
    return kept


def latest(stack: str, root: Path | None = None) -> Path:
    """The file of a stack's last report, which need not be there."""
    return folder(stack, root) / "latest.json"
