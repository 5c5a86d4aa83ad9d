"""`squid-ha switchover`: move the service on purpose."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.cli._act import told_what_goes_on
from operations.cli._arguments import AsJson, StackName, nodes, pair_of
from operations.cli._console import out, tell


def command(
    stack: StackName,
    to: Annotated[
        str,
        typer.Option(help="The node to move to; without it, the standby node.", metavar="NODE", autocompletion=nodes),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Move the service to the other node and wait until it runs there.

    Refused while the mirror is not up to date, the target is aside, away, offline or barred by earlier failures, or the
    engine is in maintenance mode.
    """
    from operations.switchover import planned

    hosts = pair_of(stack, to)
    with told_what_goes_on(stack):
        done = hosts.run(planned(hosts.cluster(progress=tell), hosts.site, to))
    if as_json:
        out.document(done.model_dump_json(indent=2))
    elif done.start == done.end:
        out.print(f"The service runs on {done.target} already; nothing to do.", markup=False)
    else:
        how = "came up whole on" if done.source == done.target else f"moved from {done.source} to"
        out.print(f"The service {how} {done.target} in {done.end - done.start:.1f} s.", markup=False)
