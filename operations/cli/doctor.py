"""`squid-ha doctor`: what the hosts need before the first `up`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from operations.cli._arguments import AsJson
from operations.cli._arguments import stacks as known
from operations.cli._console import out, tell
from operations.cli._exit import DIFFERS, UNREACHABLE
from operations.stacks import Misused


def command(
    stacks: Annotated[list[str], typer.Argument(help="The sites' stacks.", metavar="STACK...", autocompletion=known)],
    as_json: AsJson = False,
) -> None:
    """Look at the hosts of a site before its first `up`, changing nothing: what is missing, and what to do about it.

    All nodes at once: the way by SSH and sudo, platform, packages, names, addresses, disks, clocks, ports, owners.
    Exit code 0: ready. 3: a problem. 4: no node can be reached. What this machine itself needs: `make doctor`.
    """
    from operations.doctor import Report, examine, render  # noqa: PLC0415 slow
    from operations.site import Hosts, hosts_of  # noqa: PLC0415 slow

    def look(hosts: Hosts) -> Report:
        return hosts.run(examine(hosts.cluster(progress=tell), hosts.site, hosts.stack))

    if len(set(stacks)) < len(stacks):
        raise Misused("a stack is named twice.")
    reports = [look(hosts) for hosts in [hosts_of(stack) for stack in stacks]]
    if as_json:
        out.print(json.dumps({"stacks": [each.model_dump() for each in reports]}, indent=2), markup=False)
    else:
        for report in reports:
            out.print(render(report))
    if any(not report.ready and not report.nobody_told for report in reports):
        raise typer.Exit(DIFFERS)
    if any(report.nobody_told for report in reports):
        raise typer.Exit(UNREACHABLE)
