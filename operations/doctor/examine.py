"""Asking the hosts: one connection and one batch of readings per node, then the ports between them."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from blueprint.site import things
from declaration.site import Site
from operations.doctor import checks, ports, reach
from operations.doctor.model import Asked, Check, Finding, Report
from providers.connection.cluster import Cluster, Node
from providers.connection.command import TIMED_OUT, Command, Result
from providers.connection.errors import HostError, TimedOut
from providers.connection.ownership import read_owners


def found() -> dict[str, Check]:
    """The checks by name, in the order in which they are shown."""
    names = sorted(each.name for each in pkgutil.iter_modules(checks.__path__))
    return {name: cast("Check", importlib.import_module(f"{checks.__name__}.{name}")) for name in names}


async def examine(cluster: Cluster, site: Site, stack: str) -> Report:
    """All findings, node by node in the declaration's order. Raises nothing that a host does: that is a finding."""
    reached = dict(zip(cluster.nodes, await asyncio.gather(*map(reach.reach, cluster.nodes.values())), strict=True))
    findings = [each.finding for each in reached.values()]
    nodes = {name: cluster.nodes[name] for name, each in reached.items() if each.connected}
    findings += await _ask(cluster, site, nodes)
    if len(nodes) > 1:
        findings += await ports.between(site, nodes)
    gone = [name for name, each in reached.items() if not each.connected]
    return Report(stack=stack, findings=findings, nodes=list(cluster.nodes), unreachable=gone)


async def _ask(cluster: Cluster, site: Site, nodes: Mapping[str, Node]) -> list[Finding]:
    every = found()
    made = things(site, cluster.owner)
    asked = await asyncio.gather(*(_one(site, node, every) for node in nodes.values()))
    owned = await asyncio.gather(*(read_owners(node) for node in nodes.values()))
    answers = dict(zip(nodes, asked, strict=True))
    ours = {name: owners.get(cluster.site) == cluster.owner for name, owners in zip(nodes, owned, strict=True)}
    return [
        finding
        for name, check in every.items()
        for node in nodes
        if answers[node][name]
        for finding in check.judge(
            Asked(
                site,
                cluster.owner,
                site.node(node),
                answers[node][name],
                {other: answers[other][name] for other in nodes if other != node},
                ours[node],
                made,
                any(ours.values()),
            )
        )
    ]


async def _one(site: Site, node: Node, every: Mapping[str, Check]) -> dict[str, Sequence[Result]]:
    """Check → its results, all read in one round trip."""
    wanted = {name: [_harmless(each) for each in check.commands(site, site.node(node.name))]
              for name, check in every.items()}  # fmt: skip
    try:
        results = iter(await node.batch([each for asked in wanted.values() for each in asked]))
    except TimedOut:
        # One command that hangs would hide what all the others say.
        return await _singly(node, wanted)
    return {name: [next(results) for _ in asked] for name, asked in wanted.items()}


async def _singly(node: Node, wanted: Mapping[str, Sequence[Command]]) -> dict[str, Sequence[Result]]:
    async def one(command: Command) -> Result:
        try:
            return await node.run(command)
        except HostError as error:
            return Result(command, TIMED_OUT, "", error.message)

    return {name: [await one(each) for each in asked] for name, asked in wanted.items()}


def _harmless(command: Command) -> Command:
    return replace(command, ok=None, writes=False)
