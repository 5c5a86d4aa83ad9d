"""The way to a resource on both nodes as steps: a line, and how to see on the nodes that it is done.

Because each step is left out where its effect is there already, a run that was cut off anywhere goes on where it
stopped; and because the steps are pure, the same ones are printed before any node is contacted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused
from providers.lifekeeper import speaking, views
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import ALIVE, IN_SERVICE, View

Views = Mapping[str, View]
Done = Callable[[Views], bool]
Ready = Callable[[Cluster, Views], Awaitable[None]]

ALIVE_LIMIT = 120.0


@dataclass(frozen=True)
class Step:
    """``done`` tells that the line's effect is there. ``ready`` raises where the line must not be said now.

    ``unless`` asks the node itself where LifeKeeper's lists cannot tell that the effect is there.
    Not ``fresh``: it repairs something, and is no part of the way from nothing.
    """

    line: Line
    done: Done
    ready: Ready | None = None
    fresh: bool = True
    unless: Callable[[Cluster], Awaitable[bool]] | None = None


def fresh(steps: Sequence[Step]) -> list[Line]:
    """The lines of the way from nothing."""
    return [step.line for step in steps if step.fresh]


async def walk(cluster: Cluster, steps: Sequence[Step], names: Sequence[str]) -> bool:
    """Take those steps whose effect is not there, after every assumed line among them was looked up in the help.

    Returns whether LifeKeeper was told anything, which the caller has to have written to disk then (`speaking.sync`).
    Raises `Refused`, `CommandFailed`, and `NotVerified` for a line that had no effect.
    """
    seen, told = await views.telling(cluster, names), False
    await speaking.check(cluster, [step.line for step in steps if not step.done(seen)])
    for step in steps:
        if step.done(seen) or (step.unless is not None and await step.unless(cluster)):
            continue
        if step.ready is not None:
            await step.ready(cluster, seen)
        cluster.progress(f"{step.line.node}: {step.line.page}")
        await speaking.say(cluster, step.line)
        told |= bool(step.line.name)
        seen = await views.telling(cluster, names)
        if not step.done(seen) and step.line.name:
            raise NotVerified(
                f"`{' '.join(step.line.words)}` ended well, but LifeKeeper's lists do not show its effect",
                node=step.line.node,
                remedy="see /var/log/lifekeeper.log there, then run this again",
            )
    return told


def extendable(tag: str, source: str, target: str) -> Ready:
    """The resource is in service on ``source``, and ``target`` is alive: what extending needs."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        state = seen[source].state(tag)
        if state not in IN_SERVICE:
            raise Refused(
                f"{tag} cannot be extended to {target}: it is {state or 'not there'} here and must be in service (ISP)",
                node=source,
                remedy=f"put it in service: `perform_action -t {tag} -a restore`, then run this again",
            )
        found, alive = await views.until(
            lambda: views.read(cluster, [source]),
            lambda now: now[source].machines.get(target) == ALIVE,
            ALIVE_LIMIT,
            report=lambda _, waited: cluster.progress(f"{source}: waiting for {target} to be ALIVE ({waited:.0f} s)"),
        )
        if not alive:
            told = found[source].machines.get(target, "unknown")
            raise Refused(
                f"{tag} cannot be extended: {target} is {told} to LifeKeeper here, and must be {ALIVE}",
                node=source,
                remedy=f"start LifeKeeper on {target}, and look at the communication paths with `lcdstatus`",
            )

    return ready
