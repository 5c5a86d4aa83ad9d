"""`squid-ha doctor`: what the hosts need before the first `up`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from declaration.errors import DeclarationError
from operations.cli._arguments import AsJson
from operations.cli._arguments import stacks as known
from operations.cli._console import err, out, tell
from operations.cli._each import look, usable
from operations.cli._exit import DIFFERS, DONE, UNREACHABLE, code_of, worst
from operations.trouble import Misused

if TYPE_CHECKING:
    from operations.doctor import Report
    from operations.site import Hosts


def command(
    stacks: Annotated[list[str], typer.Argument(help="The sites' stacks.", metavar="STACK...", autocompletion=known)],
    as_json: AsJson = False,
) -> None:
    """Look at the hosts of a site before its first `up`, changing nothing: what is missing, and what to do about it.

    All nodes at once: the way by SSH and sudo, platform, packages, names, addresses, disks, clocks, ports, owners.
    Exit code 0: ready. 3: a problem. 4: no node of a stack can be reached. Of several stacks the first of 1 (an error,
    such as a wrong declaration), 4, 5, 3 counts. What this machine itself needs: `make doctor`.
    """
    from operations.doctor import render
    from operations.site import hosts_of

    if len(set(stacks)) < len(stacks):
        raise Misused("a stack is named twice.")
    failed: dict[str, Exception] = {}
    if len(stacks) == 1 and not as_json:
        hosts = hosts_of(stacks[0])
        reports = [hosts.run(_look(hosts))]
    else:
        reports = look(usable(stacks, hosts_of), _look, partial(_untold, failed))
    if as_json:
        out.document(json.dumps({"stacks": [each.model_dump() for each in reports]}, indent=2))
        for error in failed.values():
            err.print(str(error), markup=False)
    else:
        for report in reports:
            out.print(render(report))
    if code := worst(_code(report, failed.get(report.stack)) for report in reports):
        raise typer.Exit(code)


def _code(report: Report, error: Exception | None) -> int:
    if error is not None:
        return code_of(error)
    if report.nobody_told:
        return UNREACHABLE
    return DONE if report.ready else DIFFERS


async def _look(hosts: Hosts) -> Report:
    from operations.doctor import examine

    return await examine(hosts.cluster(progress=tell), hosts.site, hosts.stack)


def _untold(failed: dict[str, Exception], stack: str, error: Exception) -> Report:
    """The error as a finding; itself it goes into ``failed``: its exit code is that of one stack alone."""
    failed[stack] = error
    from providers.connection.errors import HostError

    if isinstance(error, HostError):
        return _unusable(stack, error.message, error.remedy)
    if isinstance(error, DeclarationError):
        return _unusable(stack, str(error), f"correct it: `squid-ha validate {stack}` tells the same")
    return _unusable(stack, str(error))


def _unusable(stack: str, sentence: str, remedy: str = "") -> Report:
    from operations.doctor import Finding, Report

    finding = Finding(check="stack", where=stack, level="problem", sentence=sentence, remedy=remedy)
    return Report(stack=stack, nodes=[], findings=[finding])
