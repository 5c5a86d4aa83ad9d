"""What comes before a drill: which scenarios are meant, what must not or cannot be done, whether the site is ready."""

from __future__ import annotations

from collections.abc import Sequence

from declaration.site import Site
from operations.drill.armed import pending
from operations.drill.eyes import SiteEyes
from operations.drill.options import Options
from operations.drill.plug import Plug
from operations.drill.runner import stand_in_words
from operations.drill.scenarios import Scenario, scenarios
from operations.drill.stated import unknown_scenarios
from operations.drill.steps import Stand, View
from operations.trouble import Misused
from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import Refused, TimedOut, Unreachable, in_a_line

_MISSING = 'for tool in "$@"; do command -v "$tool" >/dev/null || printf "%s\\n" "$tool"; done'


def named(options: Options) -> list[Scenario]:
    """The scenarios that are asked for. Raises `Misused` for one that does not exist."""
    known = scenarios()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        raise Misused(f"there is no scenario `{unknown[0]}`; there are {', '.join(known)}.")
    if options.names:
        return [known[name] for name in options.names]
    return [each for each in known.values() if each.planned or _may_break(options)]


def _may_break(options: Options) -> bool:
    return options.knows or options.plug.disposable


def refuse_plug(site: Site, plug: Plug) -> None:
    """Raises `Refused` for a plug of other hosts than the site's.

    What is disposable elsewhere is not so here, and its power and cables are those of other hosts.
    """
    if why := plug.mismatch(site):
        raise Refused(
            f"--plug has hold of other hosts than this site's: {why}",
            remedy="leave it out, or drill the stack of the hosts that it has hold of",
        )


def refuse_breaking(chosen: Sequence[Scenario], options: Options) -> None:
    """Raises `Refused` where a scenario breaks something that nobody has allowed."""
    breaking = [each.name for each in chosen if not each.planned]
    if breaking and not _may_break(options):
        raise Refused(
            f"{', '.join(breaking)} breaks something that clients may notice",
            remedy="say --i-know, at a time when that is all right; without --scenario only what is planned is done",
        )


async def without_tools(cluster: Cluster, chosen: Sequence[Scenario], view: View) -> dict[str, str]:
    """Scenario → which of the commands that it needs are not on which node, and the package that has them."""
    needs = {each.name: each.tools(view) for each in chosen}
    wanted = sorted({tool for tools in needs.values() for tool in tools})
    if not wanted:
        return {}
    asking = script(_MISSING, *wanted, reads=True, label=f"look for {', '.join(wanted)}")
    told = await cluster.each(lambda node: node.run(asking))
    missing = {tool: [name for name, answer in told.items() if tool in answer.stdout.split()] for tool in wanted}
    return {
        name: "; ".join(
            f"`{tool}` is not on {' and '.join(missing[tool])}: install {package} there"
            for tool, package in tools.items()
            if missing[tool]
        )
        for name, tools in needs.items()
        if any(missing[tool] for tool in tools)
    }


def sorted_out(
    chosen: Sequence[Scenario], lacking: dict[str, str], options: Options
) -> tuple[list[Scenario], dict[str, str]]:
    """Those that can be done, and of the others why not. Raises `Refused` for one that was asked for by name."""
    if lacking and options.names:
        name, why = next(iter(lacking.items()))
        raise Refused(f"{name} cannot be done here: {why}", remedy="`squid-ha drill --list STACK` tells what can")
    return [each for each in chosen if each.name not in lacking], lacking


def refuse_unknown(site: Site) -> None:
    """Raises `Refused` for a bound of a scenario that does not exist: what is meant is held to another one."""
    if mistake := next(unknown_scenarios(site), None):
        raise Refused(
            f"the site states `{mistake.path}`, and expected is {mistake.expected}",
            remedy="correct it in the stack file; `squid-ha validate` tells its line",
        )


def refuse_single(site: Site) -> None:
    """Raises `Refused` for a site with a single node."""
    if site.virtual_ip is None:
        raise Refused("the site has a single node, so there is nothing to fail over to")


async def readiness(cluster: Cluster, site: Site) -> Stand:
    """The healthy site. Raises `Refused` for one that is not: what breaks next would say nothing, or do harm."""
    away = [node.name for node in site.nodes if node.away]
    if away:
        raise Refused("the node is declared away, so there is nothing to fail over to", node=away[0])
    if found := await _still_to_come(cluster):
        name, unit = next(iter(found.items()))
        raise Refused(
            f"another drill is at work, or its undo is still to come: {unit}", node=name, remedy="wait for it"
        )
    stand = await SiteEyes(cluster, site).look()
    if stand.trouble:
        raise Refused(f"the site is not ready: {stand.trouble}", remedy="see `squid-ha status`")
    if not stand.healthy:
        raise Refused(f"the site is not ready: {stand_in_words(stand)}", remedy="see `squid-ha status`")
    if stand.notices:
        raise Refused(f"the site is not ready: {'; '.join(stand.notices)}", remedy="see `squid-ha cleanup`")
    return stand


async def _still_to_come(cluster: Cluster) -> dict[str, str]:
    try:
        return await pending(cluster)
    except (Unreachable, TimedOut) as silent:
        raise Refused(
            f"the site is not ready: {silent.node or 'a node'} does not answer: {in_a_line(silent.message)}",
            remedy=silent.remedy or "see `squid-ha status`",
        ) from silent
