"""`squid-ha status`: where the service runs, how mirror and clocks stand; once, live, or as a page."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from operations.cli._arguments import pair_of, stacks
from operations.cli._console import err, out, tell
from operations.cli._each import look, usable
from operations.cli._exit import DIFFERS, DONE, code_of, worst
from operations.cli._watch import Printed, screen
from operations.project import project_root

if TYPE_CHECKING:
    from operations.cli._each import Usable
    from operations.overview import Overview, Pauses, Reading
    from operations.site import Hosts
    from operations.status import Status
    from providers.connection.cluster import Cluster

    Found = tuple[Status | None, Overview]


class Limits(NamedTuple):
    """Seconds within which a node has to answer while somebody watches."""

    reading: float
    drift: float


LIMITS = Limits(reading=45.0, drift=300.0)
"""A reading may take longer than all attempts to connect (`providers.connection.access`), which say why none came."""


def command(
    names: Annotated[list[str], typer.Argument(help="The sites' stacks.", metavar="STACK...", autocompletion=stacks)],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two readings with --watch.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on standard output; with --watch, one a line.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page for a browser too, with drift and the last drill.", metavar="FILE"),
    ] = None,
) -> None:
    """Show which node runs the service, each of its members, the mirror and the clocks.

    Exit code 3 unless the service is whole, its mirror is in sync and it could fail over; clocks do not count. With
    several stacks the worst counts: 1 error, 4 unreachable, 5 refused, 3 not healthy, 0.
    """
    chosen = list(dict.fromkeys(names))
    several = len(chosen) > 1 or as_json
    hosts = usable(chosen, pair_of) if several else {chosen[0]: pair_of(chosen[0])}
    # What cannot be used now never can, and is told once.
    if watch and any(not isinstance(each, Exception) for each in hosts.values()):
        _watch(hosts, every, html, as_json=as_json)
        return
    found = _read(hosts, drift=html is not None)
    _print(found, as_json=as_json)
    if html is not None:
        _write(html, found, None)
    if code := worst(overview.exit_code for _, overview in found):
        raise typer.Exit(code)


def _read(hosts: Usable, *, drift: bool) -> list[Found]:
    """All at once."""
    return look(hosts, partial(_one, drift=drift), _untold)


def _read_again(
    hosts: Usable, told: Callable[[Found], None], pauses: Mapping[str, Pauses], *, drift: bool
) -> list[Found]:
    """The same for people who watch, and wait for no node that hangs; ``pauses``: of each stack's nodes."""
    return look(hosts, partial(_one, drift=drift, pauses=pauses), _untold, told)


def _untold(stack: str, error: Exception) -> Found:
    from operations.overview import unread

    return None, unread(stack, str(error), code_of(error))


async def _one(hosts: Hosts, *, drift: bool, pauses: Mapping[str, Pauses] | None = None) -> Found:
    from operations.drift import Subject, scan
    from operations.overview import impatient, read
    from operations.overview.read import last_drill

    def cluster(limit: float) -> Cluster:
        asked = hosts.cluster(progress=tell)
        return asked if pauses is None else impatient(asked, limit, pauses[hosts.stack])

    found = await read(cluster(LIMITS.reading), hosts.site, hosts.stack)
    extra: dict[str, object] = {"exit_code": _code(found)}
    if drift:
        extra["drill"] = last_drill(project_root(), hosts.stack)
    if drift and found.answered:
        subject = Subject(hosts.stack, hosts.owner, hosts.site, lambda: cluster(LIMITS.drift))
        extra["drift"] = (await scan([subject])).sites[0]
    return found.status, found.overview.model_copy(update=extra)


def _code(found: Reading) -> int:
    if found.error is not None:
        return code_of(found.error)
    return DONE if found.overview.healthy else DIFFERS


def _print(found: list[Found], *, as_json: bool) -> None:
    from operations.overview import render, render_beside

    if as_json:
        out.document(_document(found, indent=2))
        for _, overview in found:
            if overview.message:
                err.print(overview.message, markup=False)
    elif len(found) == 1 and found[0][0] is None:
        overview = found[0][1]
        err.print(overview.message, markup=False)
        if overview.nodes:
            out.print(render_beside(overview))
    else:
        out.print(render(found))


def _document(found: list[Found], indent: int | None = None) -> str:
    import json

    return json.dumps({"sites": [overview.model_dump(mode="json") for _, overview in found]}, indent=indent)


def _watch(hosts: Usable, every: float, html: Path | None, *, as_json: bool) -> None:
    from operations.overview import Pauses

    pauses = {stack: Pauses() for stack in hosts}
    lines = contextlib.nullcontext(Printed(lambda found: out.document(_document(found))))
    # Ctrl-C is how watching ends, and no failure.
    with contextlib.suppress(KeyboardInterrupt), lines if as_json else screen(list(hosts)) as shown:
        while True:
            began = time.monotonic()
            with shown.reading():
                found = _read_again(hosts, shown.told, pauses, drift=html is not None)
            shown.all_told(found)
            if html is not None:
                _write(html, found, every)
            time.sleep(max(0.0, every - (time.monotonic() - began)))


def _write(path: Path, found: list[Found], refresh: float | None) -> None:
    from operations.files import write_whole
    from operations.overview import page

    write_whole(path, page([overview for _, overview in found], refresh).encode())
