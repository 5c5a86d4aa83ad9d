"""What the commands that act on a running site have in common: run it, print what is there afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from operations.cli._console import err, out, tell

if TYPE_CHECKING:
    from operations.actions.do import DrillsTimer, Outcome
    from operations.engines import Runtime
    from operations.site import Hosts
    from providers.connection.cluster import Cluster

Work = Callable[["Runtime", "Cluster"], Awaitable[None]]


def run(
    hosts: Hosts,
    action: str,
    work: Work,
    done: str,
    *,
    node: str = "",
    drills_timer: DrillsTimer = "is apart",
    as_json: bool = False,
) -> None:
    """Do ``work`` with the site's engine; ``done`` is the sentence for people when it is done."""
    from operations.actions import act
    from operations.engines import engine_of

    cluster = hosts.cluster(progress=tell)
    engine = engine_of(hosts.site).runtime
    doing = act(
        cluster, hosts.site, hosts.stack, action, lambda: work(engine, cluster), node, drills_timer=drills_timer
    )
    with told_what_goes_on(hosts.stack):
        outcome = hosts.run(doing)
    if as_json:
        out.document(outcome.model_dump_json(indent=2))
        return
    out.print(f"{done} {_where(outcome)}", markup=False)
    for notice in outcome.notices:
        err.print(f"notice: {escape(notice)}")


@contextmanager
def told_what_goes_on(stack: str) -> Generator[None]:
    """Tell who interrupts that a node which has been told something carries it out: a move ends on the nodes."""
    try:
        yield
    except KeyboardInterrupt:
        text = f"interrupted: the nodes finish what they were told to do; `squid-ha status {stack}` shows it"
        err.print(text, markup=False)
        raise


def _where(outcome: Outcome) -> str:
    if not outcome.told:
        return "Which node runs the service cannot be told now."
    if not outcome.active:
        return "The service runs on no node."
    if not outcome.whole:
        return f"Only a part of the service runs on {outcome.active}: see `squid-ha status {outcome.stack}`."
    return f"The service runs on {outcome.active}."
