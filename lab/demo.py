"""`make demo`: everything at once. Lab, `pulumi up`, the service moved twice under load, and the proof.

Run again on a running lab it changes nothing and says how long it took to see that; only the moves are made anew.
`make demo ENGINE=lifekeeper` does it with the other engine, on a pair that is brought back to before the first one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from declaration.errors import DeclarationError
from declaration.load import from_stack_file
from lab import control, deployed, lifecycle, lifekeeper, load, pulumi_output, pulumi_state, snapshot
from lab.addresses import NODES
from lab.errors import LabError
from lab.image import ImageError
from lab.narrate import Narrator
from lab.paths import PROJECT, run_directory
from operations.credentials import without_passwords
from operations.engines import ENGINES, engine_of
from operations.project import stack_file
from operations.proof import Move, Proof, Request, prove, read_logs, render
from operations.site import Hosts, hosts_of
from operations.stacks import ensure_stack, write_lab
from operations.status import Status, read_status
from operations.status import render as render_status
from operations.switchover import move
from operations.trouble import StackTrouble
from providers.connection.errors import HostError

STACK = "lab"
RATE = 8.0
"""Requests a second: what a Squid in an emulated guest answers without effort, also right after it has started."""
BETWEEN = 40
"""Answers that clients get before, between and after the moves."""
ANSWER_LIMIT = 120.0
SYNC_LIMIT = 1200.0
"""Seconds that the mirror may take to bring the standby up to date."""
STEPS = 6
WIDTH = 110
"""Columns where the output is no terminal."""


def demo(narrator: Narrator, engine: str | None = None) -> bool:
    """Run it all, with ``engine`` or with the one that the lab's stack file names; returns whether the proof passed."""
    with narrator.step("the lab: two nodes, a client, an origin server, a time source") as step:
        started = lifecycle.up(lambda text: narrator.say(text.removeprefix("lab: ")))
        if started:
            pulumi_state.forget_nodes(PROJECT)
        step.result = "started" if started else "is running"
    with narrator.step("the stack file stacks/Pulumi.lab.yaml") as step:
        step.result = declare(narrator, engine)
    with narrator.step("pulumi up --stack lab") as step:
        changed = up(narrator)
        step.result = ", ".join(f"{count} {what}" for what, count in changed.items()) if changed else "no changes"
    hosts = hosts_of(STACK)
    with narrator.step("what was built"):
        narrator.console.print(render_status(await_health(hosts, narrator)))
        if changed:
            keep_snapshot(narrator)
    if not changed:
        narrator.console.print(f"\n[bold]Nothing to change[/bold]: seen after {narrator.elapsed:.1f} s in all.")
    with narrator.step("the service moves to the other node and back while clients ask"):
        run, requests, moves = moves_under_load(hosts, narrator)
    with narrator.step("the proof"):
        proof = count(hosts, run, requests, moves)
        file = run_directory() / "proof.json"
        file.write_text(proof.model_dump_json(indent=2) + "\n")
        narrator.console.print(render(proof))
        narrator.console.print(f"\nAll of it: {file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file}")
    return proof.passed


def declare(narrator: Narrator, engine: str | None) -> str:
    """Write the stack file; two engines would claim one disk and one address, so another one gets a pair without."""
    file = stack_file(STACK)
    before = from_stack_file(file).engine if file.exists() else None
    written, new = write_lab(engine=engine), ensure_stack(STACK)
    now = hosts_of(STACK).site.engine
    if before not in (None, now):
        narrator.say(f"the engine is {now} now, and was {before}: both nodes are brought back to before that")
        key = deployed.key()
        kept = snapshot.exists(deployed.NAME, key)
        snapshot.restore(*((deployed.NAME, key) if kept else (snapshot.BARE,)))
    if now == "lifekeeper":
        for node in NODES:
            asyncio.run(lifekeeper.ensure(node))
    return f"{'written' if written else 'unchanged'}{', stack initialised' if new else ''}, engine {now}"


def up(narrator: Narrator) -> dict[str, int]:
    """`pulumi up`, shown as it goes. Returns what it changed: created, updated, replaced, deleted. Raises LabError."""
    argv = [str(PROJECT / ".venv/bin/pulumi"), "up", "--stack", STACK, "--yes", "--skip-preview", "--non-interactive",
            "--color", "never"]  # fmt: skip
    counts: dict[str, int] = {}
    reader = pulumi_output.Reader()
    with subprocess.Popen(
        argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 it is a pipe
        for line in process.stdout:
            for text in reader.read(without_passwords(line.rstrip("\n"))):
                narrator.say(text)
            if found := pulumi_output.count(line):
                counts[found[0]] = found[1]
    if process.returncode != 0:
        raise LabError(f"`pulumi up` ended with exit code {process.returncode}; the reason stands above")
    if not counts:
        raise LabError("`pulumi up` ended without a word about resources")
    return {what: count for what, count in counts.items() if what in pulumi_output.CHANGES}


def await_health(hosts: Hosts, narrator: Narrator, limit: float = SYNC_LIMIT) -> Status:
    """Wait until the service runs and the mirror is the same on both nodes. Raises LabError after ``limit`` seconds."""
    cluster = hosts.cluster(progress=narrator.say)
    hosts.run(engine_of(hosts.site).runtime.wait_settled(cluster))
    deadline, said = time.monotonic() + limit, ""
    while not (status := hosts.run(read_status(cluster, hosts.site))).sound:
        if time.monotonic() > deadline:
            narrator.console.print(render_status(status))
            raise LabError(f"the service was not whole, or its mirror not up to date, within {limit:g} s")
        parts = sorted({f"{view.percent:.1f}" for view in status.mirror.values() if view.percent is not None})
        if (text := f"waiting for the mirror: {', '.join(parts) or '?'} % in sync") != said:
            narrator.say(said := text)
        time.sleep(2)
    return status


def keep_snapshot(narrator: Narrator) -> None:
    """Keep the deployed pair, for tests and for the next look."""
    snapshot.save(deployed.NAME, deployed.key())
    narrator.say("kept as the snapshot `deployed`")


def moves_under_load(hosts: Hosts, narrator: Narrator) -> tuple[str, list[Request], list[Move]]:
    """Send requests through the virtual IP, move the service there and back, and end the requests.

    Returns the run's name, what became of its requests, and the moves.
    """
    with contextlib.suppress(LabError):  # left over from a demo that was cut off
        control.call("end", name=load.SERVICE)
    run = f"d{time.time():.0f}"
    cluster = hosts.cluster(progress=narrator.say)
    file = load.start(run, rate=RATE)
    moves: list[Move] = []
    try:
        await_answers(lambda: load.read(file), BETWEEN)
        narrator.say(f"{RATE:g} requests a second: {BETWEEN} answered through {hosts.site.virtual_ip}")
        home = ""
        for _ in range(2):
            moves.append(hosts.run(move(cluster, hosts.site, home)))
            last = moves[-1]
            home = last.source
            narrator.say(f"moved from {last.source} to {last.target} in {last.end - last.start:.1f} s")
            await_answers(lambda end=last.end: [each for each in load.read(file) if each.start > end], BETWEEN)
            narrator.say(f"{BETWEEN} requests answered by {last.target}")
    finally:
        records = load.stop(file)
    return run, [request_of(record) for record in records], moves


def await_answers(read: Callable[[], Sequence[load.Record]], wanted: int, limit: float = ANSWER_LIMIT) -> None:
    """Wait until ``wanted`` of the records are answers. Raises LabError after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while True:
        records = read()
        if sum(record.answered for record in records) >= wanted:
            return
        if time.monotonic() > deadline:
            why = next((record.error or f"HTTP status {record.status}" for record in reversed(records)), "none ended")
            raise LabError(f"clients were not answered {wanted} times within {limit:g} s (last: {why})")
        time.sleep(0.2)


def request_of(record: load.Record) -> Request:
    """What the proof wants to know of a request."""
    return Request(id=record.id, start=record.start, end=record.end, status=record.status, error=record.error)


def count(hosts: Hosts, run: str, requests: Sequence[Request], moves: Sequence[Move]) -> Proof:
    """Read the logs and hold the requests against them."""
    cluster = hosts.cluster()
    active = hosts.run(engine_of(hosts.site).runtime.active_node(cluster))
    if active is None:
        raise LabError("the service runs on no node, so the mirror's log cannot be read; see `squid-ha status lab`")
    return prove(run, requests, moves, hosts.run(read_logs(cluster, hosts.site, active, run)))


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo. 0: the proof passed; 1: it failed, or something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description="Lab, pulumi up, moves under load, proof.")
    parser.add_argument("--engine", choices=list(ENGINES), help="with this engine; else as the lab's stack file says")
    engine = parser.parse_args(arguments).engine
    console = Console(highlight=False, soft_wrap=True, emoji=False, width=None if sys.stdout.isatty() else WIDTH)
    narrator = Narrator(console, STEPS)
    try:
        passed = demo(narrator, engine)
    except (LabError, ImageError, StackTrouble, DeclarationError, HostError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(
            f"\n[red]demo:[/red] {escape(str(error))}"
        )
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; the lab runs on (`make lab-down` ends it)")
        return 130
    console.print()
    console.print(narrator.times())
    console.print(
        "\nThe lab runs on: `make lab-ssh NODE=qsp-a`, `squid-ha status lab`, `pulumi preview -s lab`; "
        "`make lab-down` ends it."
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
