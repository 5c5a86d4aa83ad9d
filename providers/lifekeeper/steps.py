"""The way to a resource on both nodes as steps: a line, and how to see on the nodes that it is done.

Because each step is left out where its effect is there already, a run that was cut off anywhere goes on where it
stopped; and because the steps are pure, the same ones are printed before any node is contacted.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster
from providers.connection.errors import NotVerified, Refused
from providers.lifekeeper import grammar, speaking, views
from providers.lifekeeper.hierarchy import whole
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import ALIVE, View

Views = Mapping[str, View]
Done = Callable[[Views], bool]
Ready = Callable[[Cluster, Views], Awaitable[None]]

ALIVE_LIMIT = 120.0
TEMPLATE = "ISP"
"""The state that an extension needs. Not ISU, in service without local recovery: nobody published that LifeKeeper takes
it, and putting it in service makes it ISP."""


@dataclass(frozen=True)
class Guarded:
    """A `Ready` that can tell something beforehand: ``first`` raises before any step is taken, and before ``then``."""

    first: Callable[[Views], None]
    then: Ready

    async def __call__(self, cluster: Cluster, seen: Views) -> None:
        """Raises what either raises."""
        self.first(seen)
        await self.then(cluster, seen)


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
    """Take those steps whose effect is not there, after every assumed line of the site was looked up in the help, and
    what is `Guarded` among them has told nothing against it.

    Returns whether LifeKeeper was told anything, which the caller has to have written to disk then (`speaking.sync`).
    Raises `Refused`, `CommandFailed`, and `NotVerified` for a line that had no effect.
    """
    seen, told = await views.telling(cluster, names), False
    left = [step for step in steps if not step.done(seen)]
    for step in left:
        if isinstance(step.ready, Guarded):
            step.ready.first(seen)
    if left:
        await speaking.check_site(cluster)
        await speaking.check(cluster, [step.line for step in left])
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
    """The resource and all that is tied to it is in service on ``source``, and ``target`` is alive: what extending
    needs, which brings the whole hierarchy along."""

    async def ready(cluster: Cluster, seen: Views) -> None:
        _refuse_out_of_service(tag, source, target, seen[source])
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


def _refuse_out_of_service(tag: str, source: str, target: str, view: View) -> None:
    out = sorted(each for each in whole(view.dependencies, tag) if view.state(each) != TEMPLATE)
    if not out:
        return
    # A resource is put in service after all that it depends on.
    brought = {child for parent, child in view.dependencies if parent in out}
    lines = [typed("perform_action", tag=each, action="restore") for each in out if each not in brought]
    told = ", ".join(f"{each} is {view.state(each) or 'not there'}" for each in out)
    raise Refused(
        f"{tag} cannot be extended to {target}: it and all that is tied to it must be in service ({TEMPLATE}) here, "
        f"and {told}",
        node=source,
        remedy=f"put in service what is not: {', '.join(lines)}; then run this again",
    )


def typed(name: str, **values: object) -> str:
    """A line of the grammar as a person pastes it into a shell, in backticks."""
    return f"`{shlex.join(grammar.build(name, **values))}`"
