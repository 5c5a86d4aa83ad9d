"""`squid-ha drift`: live nodes against the declaration, without Pulumi's engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli._arguments import AsJson, stacks
from operations.cli._console import err, out
from operations.cli._exit import DIFFERS, DONE, FAILED, UNREACHABLE
from operations.cli._stacks import every_stack
from operations.trouble import Misused, StackTrouble

if TYPE_CHECKING:
    from operations.drift import Report


def command(
    names: Annotated[
        list[str] | None, typer.Argument(help="The sites' stacks.", metavar="[STACK]...", autocompletion=stacks)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every stack that has a file.")] = False,
    as_json: AsJson = False,
    junit: Annotated[
        Path | None, typer.Option(help="Write a JUnit report: a case per thing and node.", metavar="FILE")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations, and add a page to $GITHUB_STEP_SUMMARY.")
    ] = False,
    prometheus: Annotated[
        Path | None, typer.Option(help="Write a textfile for the node exporter.", metavar="FILE")
    ] = None,
) -> None:
    """Compare live nodes with the declaration, for one, several or all sites at once. Changes nothing.

    What was changed on a host and what was edited and not yet deployed are told apart. Exit code 0: clean. 3: drift.
    4: something could not be reached. 1: an error. If several apply, the first of 1, 4, 3 counts.
    """
    if as_json and github:
        raise Misused("--json and --github both want standard output for themselves; take one of them.")
    report = _scanned(_chosen(names or [], everything), listed=everything)
    try:
        _write(report, junit, prometheus)
    finally:
        # A file that cannot be written does not hide what was found.
        _print(report, as_json=as_json, github=github)
    if code := _code(report):
        raise typer.Exit(code)


def _write(report: Report, junit: Path | None, prometheus: Path | None) -> None:
    """The files that are wanted. Raises `StackTrouble` for those that cannot be written."""
    from operations.drift import junit as cases
    from operations.drift import prometheus as metrics
    from operations.files import try_each

    wanted = ((cases.write, junit), (metrics.write, prometheus))
    try_each(partial(write, report, path) for write, path in wanted if path is not None)


def _print(report: Report, *, as_json: bool, github: bool) -> None:
    from operations.drift import github as annotated
    from operations.drift.show import render

    if as_json:
        out.document(report.model_dump_json(indent=2))
    elif github:
        for line in annotated.marks(report):
            out.order(line)
        if not annotated.append_page(report):
            err.print(f"${annotated.SUMMARY} is not set, so there is no summary to add to.")
    else:
        out.print(render(report), soft_wrap=False)


def _chosen(names: list[str], everything: bool) -> list[str]:
    if everything and names:
        raise Misused("name stacks, or say --all; not both.")
    if not everything and not names:
        raise Misused("which stack? Name one or several, or say --all.")
    chosen = every_stack() if everything else list(dict.fromkeys(names))
    if not chosen:
        raise StackTrouble("there is no stack yet; `squid-ha init NAME` writes one.")
    return chosen


def _scanned(chosen: list[str], *, listed: bool) -> Report:
    """``listed``: the stacks were found by their files, and not named by whoever called."""
    from operations.drift import scan, subject_of
    from operations.drift.show import heading
    from providers.connection.loop import run_sync

    # A site that names a password of sudo has Pulumi asked for it, in another process.
    with ThreadPoolExecutor(4) as pool:
        subjects = list(pool.map(partial(subject_of, listed=listed), chosen))
    if len(subjects) > 1:
        err.print(f"Looking at {len(subjects)} sites")
    return run_sync(scan(subjects, lambda site: err.print(heading(site)) if len(subjects) > 1 else None))


def _code(report: Report) -> int:
    from operations.drift import Outcome

    return {
        Outcome.CLEAN: DONE,
        Outcome.DRIFT: DIFFERS,
        Outcome.UNREACHABLE: UNREACHABLE,
        Outcome.ERROR: FAILED,
    }[report.outcome]
