"""`squid-ha maintenance`: have the engine leave everything alone for a while."""

from __future__ import annotations

import typer

from operations.cli._act import run
from operations.cli._arguments import AsJson, StackName, pair_of

app = typer.Typer(help="Have the engine leave everything alone for a while.")


@app.command()
def on(stack: StackName, as_json: AsJson = False) -> None:
    """Have the engine start, stop and move nothing, whatever happens. Nobody repairs a failure meanwhile."""
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
    """Have the engine take over again. What failed meanwhile is repaired now."""
    hosts = pair_of(stack)
    done = "Maintenance mode is off."
    run(hosts, "maintenance off", lambda engine, cluster: engine.maintenance(cluster, on=False), done, as_json=as_json)
