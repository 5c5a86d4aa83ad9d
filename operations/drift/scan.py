"""Scanning sites: all at once, both nodes of each at once; one that fails hides no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from blueprint.site import things
from blueprint.thing import Thing
from declaration.site import Site
from operations.drift.compare import Nodes, look
from operations.drift.masks import Mask
from operations.drift.model import Case, Outcome, Report, SiteReport
from operations.drift.removed import undeclared
from operations.engines import engine_of
from operations.stacks import StackTrouble
from providers import applied, reconcile
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Refused, Unforeseen, Unreachable, in_a_line, unheard
from providers.connection.journal import journalled
from providers.connection.together import both

AT_ONCE = 40
"""Sites that are looked at at the same time: two connections each."""


@dataclass(frozen=True)
class Subject:
    """A site to look at, with its cluster; ``secret`` is asked for the secrets that the site names.

    Without a site, ``message`` says why there is none.
    """

    stack: str
    owner: str = ""
    site: Site | None = None
    cluster: Callable[[], Cluster] | None = None
    message: str = ""


async def scan(subjects: Sequence[Subject], told: Callable[[SiteReport], None] = lambda _report: None) -> Report:
    """Look at all; ``told`` hears of each site as soon as it is done."""
    began = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    places = asyncio.Semaphore(AT_ONCE)

    async def one(subject: Subject) -> SiteReport:
        async with places:
            try:
                report = await _site(subject)
            except Exception as error:  # noqa: BLE001 one site that cannot be read hides no other
                report = SiteReport(stack=subject.stack, failed=Outcome.ERROR, message=str(Unforeseen.of(error)))
        told(report)
        return report

    reports = await asyncio.gather(*(one(subject) for subject in subjects))
    return Report(started=started, seconds=round(time.monotonic() - began, 3), sites=reports)


async def _site(subject: Subject) -> SiteReport:
    if subject.site is None or subject.cluster is None:
        return SiteReport(stack=subject.stack, failed=Outcome.ERROR, message=subject.message)
    began = time.monotonic()
    cluster = _reading(subject.cluster())
    nodes = await _ask(cluster)
    try:
        # Where secrets are named, Pulumi is asked for them, which takes seconds.
        listed, mask = await asyncio.to_thread(_sealed, subject.site, subject.owner, cluster)
    except (ValueError, StackTrouble) as error:
        return SiteReport(stack=subject.stack, failed=Outcome.ERROR, message=str(error))
    answering = replace(cluster, nodes=nodes.answering)
    looking = asyncio.gather(*(look(answering, nodes, thing) for thing in listed))
    found, notices = await both(looking, _notices(answering, subject.site))
    cases = [case for part in found for case in part]
    return SiteReport(
        stack=subject.stack,
        cases=[_masked(case, mask) for case in (*cases, *undeclared(nodes, {thing.name for thing in listed}))],
        notices=[mask.text(text) for text in notices],
        seconds=round(time.monotonic() - began, 3),
    )


def _sealed(site: Site, owner: str, cluster: Cluster) -> tuple[list[Thing], Mask]:
    sealed = [
        replace(thing, inputs=reconcile.sealed(thing.kind, thing.inputs, cluster.secret))
        for thing in things(site, owner)
    ]
    return sealed, Mask(site, cluster.secret)


def _masked(case: Case, mask: Mask) -> Case:
    findings = [
        finding.model_copy(update={"declared": mask.value(finding.declared), "live": mask.value(finding.live)})
        for finding in case.findings
    ]
    told = {"message": mask.text(case.message), "remedy": mask.text(case.remedy)}
    return case.model_copy(update={"findings": findings, **told})


def _reading(cluster: Cluster) -> Cluster:
    """The same cluster for those who only read."""

    async def hold(*, without_lost: bool = False) -> None:  # noqa: ARG001
        raise Refused("looking for drift changes nothing, so it takes no lock")

    return replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()}, hold=hold)


async def _ask(cluster: Cluster) -> Nodes:
    """Which nodes answer, what was last applied to them, and what their journals have."""

    recorded: dict[str, Mapping[str, applied.Digests]] = {}
    names: dict[str, Mapping[str, Sequence[str]]] = {}
    silent: dict[str, HostError] = {}

    async def ask(node: Node) -> None:
        try:
            recorded[node.name], names[node.name] = await both(
                applied.read(cluster, node), journalled(node, cluster.site)
            )
        except HostError as error:
            silent[node.name] = unheard(error)
        except Exception as error:  # noqa: BLE001 one node that is not understood hides no other
            fault = Unforeseen.of(error)
            silent[node.name] = Unforeseen(fault.message, node=node.name, remedy=fault.remedy)

    await cluster.each(ask)
    answering = {name: node for name, node in cluster.nodes.items() if name in recorded}
    return Nodes(answering, recorded, silent, names)


async def _notices(cluster: Cluster, site: Site) -> list[str]:
    if site.virtual_ip is None or not cluster.nodes:
        return []
    try:
        return [notice.text for notice in await engine_of(site).runtime.notices(cluster)]
    except Unreachable:
        return []
    except HostError as error:
        return [str(error).splitlines()[0]]
    except Exception as error:  # noqa: BLE001 it hides nothing of what was looked at
        return [f"what the engine leaves for a while cannot be told: {in_a_line(Unforeseen.of(error))}"]
