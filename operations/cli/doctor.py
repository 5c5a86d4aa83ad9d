"""`squid-ha doctor`: what the hosts need before the first `up`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from declaration.errors import DeclarationError
from operations.cli._arguments import AsJson
from operations.cli._arguments import stacks as known
from operations.cli._console import out, tell
from operations.cli._exit import DIFFERS, UNREACHABLE
from operations.stacks import Misused, StackTrouble

if TYPE_CHECKING:
    from operations.doctor import Report
    from operations.site import Hosts


def command(
    stacks: Annotated[list[str], typer.Argument(help="The sites' stacks.", metavar="STACK...", autocompletion=known)],
    as_json: AsJson = False,
) -> None:
    """Look at the hosts of a site before its first `up`, changing nothing: what is missing, and what to do about it.

    All nodes at once: the way by SSH and sudo, platform, packages, names, addresses, disks, clocks, ports, owners.
    Exit code 0: ready. 3: a problem. 4: no node can be reached. What this machine itself needs: `make doctor`.
    """
    from operations.doctor import render  # noqa: PLC0415 slow
    from operations.site import hosts_of  # noqa: PLC0415 slow

    if len(set(stacks)) < len(stacks):
        raise Misused("a stack is named twice.")
    reports = [_look(hosts_of(stacks[0]))] if len(stacks) == 1 else _all(stacks)
    if as_json:
        out.print(json.dumps({"stacks": [each.model_dump() for each in reports]}, indent=2), markup=False)
    else:
        for report in reports:
            out.print(render(report))
    if any(not report.ready and not report.nobody_told for report in reports):
        raise typer.Exit(DIFFERS)
    if any(report.nobody_told for report in reports):
        raise typer.Exit(UNREACHABLE)


def _look(hosts: Hosts) -> Report:
    from operations.doctor import examine  # noqa: PLC0415 slow

    return hosts.run(examine(hosts.cluster(progress=tell), hosts.site, hosts.stack))


def _all(stacks: list[str]) -> list[Report]:
    """At once; a stack that cannot be used is a finding, and hides no other. Raises `Misused` for one there is not."""
    with ThreadPoolExecutor(4) as pool:
        usable = list(pool.map(_hosts, stacks))
    with ThreadPoolExecutor(len(stacks)) as pool:
        return list(pool.map(_reported, usable))


def _hosts(stack: str) -> Hosts | Report:
    from operations.site import hosts_of  # noqa: PLC0415 slow
    from providers.connection.errors import HostError  # noqa: PLC0415 slow

    try:
        return hosts_of(stack)
    except Misused:
        raise
    except DeclarationError as error:
        return _unusable(stack, str(error), f"correct it: `squid-ha validate {stack}` tells the same")
    except StackTrouble as error:
        return _unusable(stack, str(error))
    except HostError as error:
        return _unusable(stack, error.message, error.remedy)


def _reported(hosts: Hosts | Report) -> Report:
    from operations.doctor import Report  # noqa: PLC0415 slow
    from providers.connection.errors import HostError, Unforeseen  # noqa: PLC0415 slow

    if isinstance(hosts, Report):
        return hosts
    try:
        return _look(hosts)
    except Exception as error:  # noqa: BLE001 one site that cannot be read hides no other
        known_error = error if isinstance(error, HostError) else Unforeseen.of(error)
        return _unusable(hosts.stack, known_error.message, known_error.remedy)


def _unusable(stack: str, sentence: str, remedy: str = "") -> Report:
    from operations.doctor import Finding, Report  # noqa: PLC0415 slow

    finding = Finding(check="stack", where=stack, level="problem", sentence=sentence, remedy=remedy)
    return Report(stack=stack, nodes=[], findings=[finding])
