"""`squid-ha alerts test`: does an alert arrive?"""

from __future__ import annotations

import json

import typer

from operations.cli._arguments import AsJson, StackName
from operations.cli._console import out, tell
from operations.cli._exit import FAILED, UNREACHABLE

app = typer.Typer(help="Alerts of a site.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Alerts of a site."""


@app.command("test")
def send(stack: StackName, as_json: AsJson = False) -> None:
    """Send a test alert from each node over every declared channel.

    Exit code 1 unless all were taken, 4 if no node can be asked.
    """
    from operations import alerts
    from operations.site import hosts_of
    from providers.connection.errors import Refused

    hosts = hosts_of(stack)
    if hosts.site.alerts is None:
        raise Refused(f"stack `{stack}` declares no alerts", remedy="add the section `alerts` (docs/alerts.md)")
    tries = hosts.run(alerts.test(hosts.cluster(progress=tell)))
    if as_json:
        out.document(json.dumps([each.model_dump() for each in tries], indent=2))
    else:
        out.print(alerts.render(tries), markup=False)
    if not any(each.reached for each in tries):
        raise typer.Exit(UNREACHABLE)
    if not all(each.delivered for each in tries):
        raise typer.Exit(FAILED)
