"""`squid-ha node`: take a node out of service for a while, and bring it back."""

from __future__ import annotations

import typer

from operations.cli._act import run
from operations.cli._arguments import AsJson, NodeName, StackName, pair_of

app = typer.Typer(help="Take a node out of service for a while, and bring it back.")


@app.command()
def aside(stack: StackName, node: NodeName, as_json: AsJson = False) -> None:
    """Take a node out of service: the service moves away from it, and does not come to it until it is back.

    Its half of the mirror stops too, so the service runs without a second copy meanwhile. Refused where the service
    runs on that node and the other one cannot take it over.
    """
    hosts = pair_of(stack, node)
    done = f"{node} is aside; `squid-ha node back {stack} {node}` brings it back."
    run(
        hosts,
        "node aside",
        lambda engine, cluster: engine.aside(cluster, node),
        done,
        node=node,
        drills_timer="would end it",
        as_json=as_json,
    )


@app.command()
def back(stack: StackName, node: NodeName, as_json: AsJson = False) -> None:
    """Bring a node back that was put aside. The service stays where it is; the mirror catches up."""
    hosts = pair_of(stack, node)
    done = f"{node} is back."
    run(
        hosts,
        "node back",
        lambda engine, cluster: engine.back(cluster, node),
        done,
        node=node,
        drills_timer="is over",
        as_json=as_json,
    )
