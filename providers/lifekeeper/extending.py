"""What an extension needs beside a hierarchy in service: nothing else tied to it, and that its kits say they can.

LifeKeeper extends a hierarchy as a whole, over all its roots. What this declaration does not name and is on one node
only would come to the other node with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from providers.connection.cluster import Cluster
from providers.connection.command import Command, command
from providers.connection.errors import Refused
from providers.lifekeeper import grammar, steps
from providers.lifekeeper.hierarchy import whole
from providers.lifekeeper.resource import Member
from providers.lifekeeper.steps import Guarded, Views, typed
from providers.lifekeeper.views import Instance, View, asks

KIT_LIMIT = 120.0
"""Seconds that a kit's own check may take."""


def extendable(wanted: Member, source: str, target: str) -> Guarded:
    """The resource may be extended from ``source`` to ``target`` now. Raises `Refused`."""
    alive = steps.extendable(wanted.tag, source, target)

    async def ready(cluster: Cluster, seen: Views) -> None:
        await alive(cluster, seen)
        await ask_kits(cluster, seen, wanted.tag, source, target)

    return Guarded(untied(wanted, source, target), ready)


def untied(wanted: Member, source: str, target: str) -> Callable[[Views], None]:
    """Raises `Refused` where an extension would bring along what is not of this service.

    What is on both nodes already, as one resource, stays as it is, and is in nobody's way.
    """
    ours = {wanted.tag, *wanted.beside}

    def refuse(seen: Views) -> None:
        found = {
            tie: brought
            for tie, outer in _leading_out(seen[source], wanted.tag, ours)
            if (brought := [each for each in outer if not _extended(seen, each, source, target)])
        }
        if not found:
            return
        told = ", ".join(f"{parent} on {child}" for parent, child in found)
        tags = ", ".join(sorted({each for brought in found.values() for each in brought}))
        lines = ", ".join(typed("dep_remove", parent=parent, child=child) for parent, child in found)
        raise Refused(
            f"LifeKeeper extends with {wanted.tag} all that is tied to it, and these dependencies are not part of this "
            f"declaration: {told}. They would bring to {target}: {tags}",
            node=source,
            remedy=f"delete those that should not be: {lines}; or extend {tags} to {target} in LifeKeeper's own "
            f"interface first{_forgetting(seen, found, source, target)}",
        )

    return refuse


def _forgetting(seen: Views, found: Mapping[tuple[str, str], Sequence[str]], source: str, target: str) -> str:
    """A node that was set up anew has lost what this one still takes for extended."""
    stale = [
        typed("eqv_remove", tag=each, system=target, other_tag=other, equivalency="SHARED")
        for brought in found.values()
        for each in brought
        for other in _known(seen[source], each, target)
        if other not in seen[target].instances
    ]
    return f", after {', '.join(dict.fromkeys(stale))}, because it counts as extended there still" if stale else ""


def _leading_out(view: View, tag: str, ours: set[str]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Dependencies between what is of this service and what is not, each with all that is tied together out there."""
    family = whole(view.dependencies, tag)
    foreign = [tie for tie in view.dependencies if ours.isdisjoint(tie)]
    for parent, child in sorted(view.dependencies):
        if parent in family and (parent in ours) != (child in ours):
            yield (parent, child), sorted(whole(foreign, child if parent in ours else parent))


def _extended(seen: Views, tag: str, source: str, target: str) -> bool:
    """The resource is on both nodes, whatever its tag there, and each knows the other's as its equivalent."""
    there = seen[target]
    return any(
        other in there.instances and (other, source, tag) in there.equivalents
        for other in _known(seen[source], tag, target)
    )


def _known(view: View, tag: str, target: str) -> list[str]:
    """What a node takes for the resource on ``target``."""
    return [other for here, system, other in view.equivalents if (here, system) == (tag, target)]


async def ask_kits(cluster: Cluster, seen: Views, tag: str, source: str, target: str) -> None:
    """Have each kit say whether what is left to be extended with ``tag`` can be; one without a script for it is not
    asked.

    As SIOS's own scripts do (AWSQS): ``canextend`` on ``target``, told from ``source``; LifeKeeper's own extension asks
    it too, but later. While something is half extended nobody is asked: a kit may refuse it for that, and it is made
    whole or taken back first. Raises `Refused` with what it said.
    """
    view = seen[source]
    left = [each for each in sorted(whole(view.dependencies, tag)) if not _extended(seen, each, source, target)]
    if any(_known(view, each, target) for each in left):
        return
    resources = [view.instances[each] for each in left]
    there = [command("test", "-x", _canextend(each, source)[0], ok=None, reads=True) for each in resources]
    answers = await cluster.node(target).batch(there)
    for each, answer in zip(resources, answers, strict=True):
        if answer.exit_code == 0:
            await _ask(cluster, each, source, target)


def asks_kit(resource: Instance, source: str, target: str) -> Command:
    """What is run on ``source`` to have the kit on ``target`` say whether the resource can be extended there."""
    return asks("lcdremexec", timeout=KIT_LIMIT, dest=target, command=_canextend(resource, source))


def _canextend(resource: Instance, source: str) -> list[str]:
    return grammar.build("canextend", app=resource.app, type=resource.type, template_system=source, tag=resource.tag)


async def _ask(cluster: Cluster, resource: Instance, source: str, target: str) -> None:
    answer, tag = await cluster.node(source).run(asks_kit(resource, source, target)), resource.tag
    if answer.exit_code == 0:
        return
    said = [each for each in f"{answer.stdout}\n{answer.stderr}".splitlines() if each.strip()]
    told = "".join(f"\n    {each}" for each in said[-5:]) or " and said nothing"
    raise Refused(
        f"{tag} cannot be extended to {target}: its kit's own check there, `{answer.command}`, ended with exit code "
        f"{answer.exit_code}{told}",
        node=source,
        remedy=f"correct that on {target}, or extend {tag} in LifeKeeper's own interface; then run this again",
    )
