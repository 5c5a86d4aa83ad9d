"""`squid-ha maintenance`: switch maintenance mode on or off."""

from __future__ import annotations

import typer

from operations.cli._act import run
from operations.cli._arguments import AsJson, StackName, pair_of

app = typer.Typer(help="Switch maintenance mode on or off.")


@app.command()
def on(stack: StackName, as_json: AsJson = False) -> None:
    """Enter maintenance mode: the engine starts, stops and moves nothing, and repairs no failure."""
    hosts = pair_of(stack)
    done = f"Maintenance mode is on; `squid-ha maintenance off {stack}` ends it."
    run(
        hosts,
        "maintenance on",
        lambda engine, cluster: engine.maintenance(cluster, on=True),
        done,
        drills_timer="would end it",
        as_json=as_json,
    )


@app.command()
def off(stack: StackName, as_json: AsJson = False) -> None:
    """Leave maintenance mode: the engine repairs what failed meanwhile."""
    hosts = pair_of(stack)
    done = "Maintenance mode is off."
    run(hosts, "maintenance off", lambda engine, cluster: engine.maintenance(cluster, on=False), done, as_json=as_json)
