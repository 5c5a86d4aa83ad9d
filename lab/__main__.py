"""The lab from the command line: `python -m lab --help`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lab import control, lifecycle, lifekeeper, snapshot
from lab.errors import LabError
from lab.image import ImageError
from lab.paths import run_directory

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The lab: two nodes, a client, an origin, a time source."
)
out = Console(highlight=False, emoji=False)

Node = Annotated[str, typer.Argument(help="qsp-a or qsp-b")]
Name = Annotated[str, typer.Argument(help="name of the snapshot")]
Key = Annotated[str, typer.Option(help="digest of what else the snapshot was made from")]
Wire = Annotated[str, typer.Argument(help="pub (public) or rep (replication)")]


@app.command()
def up() -> None:
    """Start the lab; a running one is left as it is."""
    began = time.monotonic()

    def report(line: str) -> None:
        out.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {line}")

    if lifecycle.up(report):
        report("lab: ready")
    else:
        out.print("The lab is running.")


@app.command()
def down() -> None:
    """End the lab and all that runs in it."""
    out.print("The lab is down." if lifecycle.down() else "The lab was not running.")


@app.command()
def status() -> None:
    """What of the lab is running."""
    try:
        told = control.call("status", timeout=15)
    except control.LabIsDown:
        out.print("The lab is down. Start it with `make lab-up`.")
        return
    out.print(_table(told))
    services = ", ".join(
        f"{each['name']} {'up' if each['running'] else '[red]ended[/red]'}" for each in told["services"]
    )
    out.print(f"services: {services}    processor: {told['accelerator']}    directory: {run_directory()}")


def _table(told: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("host", "kind", "address", "state", "ssh", "cables cut", "pid in the lab", "memory"):
        table.add_column(column, justify="right" if column in ("pid in the lab", "memory") else "left")
    for host in told["hosts"]:
        table.add_row(
            host["name"], host["kind"], host["address"], "on" if host["running"] else "[red]off[/red]",
            "answers" if host["ssh"] else "[red]silent[/red]", ", ".join(host["cut"]) or "-", str(host["pid"] or "-"),
            f"{host['memory'] / 2**20:.0f} MiB" if host["running"] else "-",
        )  # fmt: skip
    return table


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ssh(context: typer.Context, node: Node) -> None:
    """A shell on a node, or one command: `lab ssh qsp-a uptime`."""
    control.call("ping", timeout=5)
    os.execvp("ssh", ["ssh", "-F", str(run_directory() / "ssh_config"), node, *context.args])  # noqa: S606  becomes ssh


@app.command("snapshot")
def save(name: Name, key: Key = "") -> None:
    """Keep the pair as it is: disks, memory, Pulumi state and known_hosts."""
    _timed(f"The snapshot {name} is made", lambda: snapshot.save(name, key))


@app.command()
def restore(name: Name, key: Key = "") -> None:
    """Bring the pair back to a snapshot."""
    _timed(f"The pair is back at the snapshot {name}", lambda: snapshot.restore(name, key))


@app.command("power-off")
def power_off(node: Node) -> None:
    """Cut a node's power, as pulling its plug."""
    control.call("kill", host=node)


@app.command("power-on")
def power_on(node: Node) -> None:
    """Switch a node on; it boots."""
    control.call("start", host=node)


@app.command()
def cut(node: Node, network: Wire) -> None:
    """Take a node off one network."""
    control.call("cut", host=node, network_name=network)


@app.command()
def heal(node: Node) -> None:
    """Put a node back on both networks."""
    control.call("heal", host=node)


@app.command("lifekeeper-media")
def lifekeeper_media(node: Node) -> None:
    """Put the media of the LifeKeeper stand-in onto a node, to install it from: `/root/sps/setup`."""
    asyncio.run(lifekeeper.provide(node))
    out.print(f"{node}: {lifekeeper.MEDIA}/setup, licence {lifekeeper.LICENCE}")


def _timed(what: str, do: Callable[[], None]) -> None:
    began = time.monotonic()
    do()
    out.print(f"{what} ({time.monotonic() - began:.1f} s).")


def main() -> int:
    """Run a command; what goes wrong is one sentence."""
    try:
        app()
    except (LabError, ImageError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
