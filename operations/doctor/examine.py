"""Asking the hosts: one connection and one batch of readings per node, then the ports between them."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from blueprint.site import things
from declaration.site import Site
from operations.doctor import checks, ports, reach
from operations.doctor.model import Asked, Check, Finding, Report
from providers.connection.cluster import Cluster, Node
from providers.connection.command import TIMED_OUT, Command, Result
from providers.connection.errors import HostError, TimedOut, Unknown
from providers.connection.ownership import owners_command, parse_owners, read_owners
from providers.connection.ssh import SESSIONS


def found() -> dict[str, Check]:
    """The checks by name, in the order in which they are shown."""
    names = sorted(each.name for each in pkgutil.iter_modules(checks.__path__))
    return {name: cast("Check", importlib.import_module(f"{checks.__name__}.{name}")) for name in names}


async def examine(cluster: Cluster, site: Site, stack: str) -> Report:
    """All findings, node by node in the declaration's order. Raises nothing that a host does: that is a finding."""
    every = found()
    reached = dict(zip(cluster.nodes, await asyncio.gather(*map(reach.reach, cluster.nodes.values())), strict=True))
    there = [cluster.nodes[name] for name, each in reached.items() if each.connected]
    asked = await asyncio.gather(*(_ask(site, node, every) for node in there))
    answers = {node.name: each for node, each in zip(there, asked, strict=True) if isinstance(each, _Answers)}
    reached |= {node.name: each for node, each in zip(there, asked, strict=True) if isinstance(each, reach.Reached)}
    findings = [each.finding for each in reached.values()] + _judged(cluster, site, every, answers)
    if len(answers) > 1:
        findings += await ports.between(site, {name: cluster.nodes[name] for name in answers})
    gone = [name for name in cluster.nodes if name not in answers]
    return Report(stack=stack, findings=findings, nodes=list(cluster.nodes), unreachable=gone)


@dataclass(frozen=True)
class _Answers:
    """What one node said: check → its results; and who claims it (`providers.connection.ownership`)."""

    results: Mapping[str, Sequence[Result]]
    owners: Mapping[str, str]


async def _ask(site: Site, node: Node, every: Mapping[str, Check]) -> _Answers | reach.Reached:
    """A node's answers, or the finding that it answers no longer."""
    try:
        return await _one(site, node, every)
    except HostError as error:
        return reach.lost(node, error)


def _judged(cluster: Cluster, site: Site, every: Mapping[str, Check], answers: Mapping[str, _Answers]) -> list[Finding]:
    made = things(site, cluster.owner)
    pair_is_ours = any(each.owners.get(cluster.site) == cluster.owner for each in answers.values())
    return [
        finding
        for name, check in every.items()
        for node, each in answers.items()
        if each.results[name]
        for finding in _findings(
            name,
            check,
            Asked(
                site,
                cluster.owner,
                site.node(node),
                each.results[name],
                {other: answers[other].results[name] for other in answers if other != node},
                each.owners,
                made,
                pair_is_ours,
                cluster.secret,
            ),
        )
    ]


def _findings(name: str, check: Check, asked: Asked) -> list[Finding]:
    """What a check finds; an answer that is in no shape which it takes is a finding too."""
    try:
        return list(check.judge(asked))
    except Unknown as error:
        return [asked.problem(name.replace("_", "-"), error.message, error.remedy or "run this again")]


async def _one(site: Site, node: Node, every: Mapping[str, Check]) -> _Answers:
    """All that a node is asked, in one round trip."""
    wanted = {name: _questions(check, site, node) for name, check in every.items()}
    try:
        owners, *said = await node.batch([owners_command(), *(each for asked in wanted.values() for each in asked)])
    except TimedOut:
        # One command that hangs would hide what all the others say.
        return await _singly(site, node, every)
    results = iter(said)
    answers = {name: [next(results) for _ in asked] for name, asked in wanted.items()}
    return _Answers(answers, parse_owners(owners.stdout))


async def _singly(site: Site, node: Node, every: Mapping[str, Check]) -> _Answers:
    """Each question by itself, as many at once as a node has sessions for.

    Each is made anew when its turn comes: some have the time in them at which they are asked.
    """
    room = asyncio.Semaphore(SESSIONS)

    async def one(check: Check, place: int) -> Result:
        async with room:
            question = _questions(check, site, node)[place]
            try:
                return await node.run(question)
            except TimedOut as error:
                return Result(question, TIMED_OUT, "", error.message)

    owners = await read_owners(node)
    places = [(name, place) for name, check in every.items() for place in range(len(_questions(check, site, node)))]
    said = await asyncio.gather(*(one(every[name], place) for name, place in places), return_exceptions=True)
    answers: dict[str, list[Result]] = {name: [] for name in every}
    for (name, _), answer in zip(places, said, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        answers[name].append(answer)
    return _Answers(answers, owners)


def _questions(check: Check, site: Site, node: Node) -> list[Command]:
    """A check's commands for a node, each of which may fail."""
    return [replace(each, ok=None, writes=False) for each in check.commands(site, site.node(node.name))]
