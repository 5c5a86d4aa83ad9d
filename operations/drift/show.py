"""A scan for people: what differs, in one table per site, and the rest in a line each."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from operations.drift.model import ORIGINS, Finding, Outcome, Report, SiteReport
from providers.reconcile import excerpts

_STYLES = {Outcome.CLEAN: "green", Outcome.DRIFT: "yellow", Outcome.UNREACHABLE: "red", Outcome.ERROR: "red"}
CLUSTER = "both"
"""In the place of a node's name: what is the cluster's."""


def render(report: Report) -> RenderableType:
    """Each site's heading, findings, troubles and notices; and the sum where there are several."""
    parts: list[RenderableType] = []
    for site in report.sites:
        parts += [_site(site), Text()]
    if len(report.sites) > 1:
        parts.append(Text(summary(report)))
    return Group(*(parts if len(report.sites) > 1 else parts[:-1]))


def heading(site: SiteReport) -> str:
    """A site in a line, as markup."""
    count = len({case.thing for case in site.cases})
    style = _STYLES[site.outcome]
    text = f"[bold]{escape(site.stack)}[/bold]: [{style}]{site.outcome}[/{style}]"
    return text + (f" ({count} things, {site.seconds:.1f} s)" if site.cases else "")


def summary(report: Report) -> str:
    """How many sites of each outcome, in a line."""
    counts = {outcome: sum(site.outcome == outcome for site in report.sites) for outcome in Outcome}
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return f"{len(report.sites)} sites in {report.seconds:.1f} s: {said}"


def described(finding: Finding) -> tuple[str, str, str]:
    """Property, what is declared, what is live, in words; of long texts the first line that differs."""
    name = _short(finding) or "the thing itself"
    if finding.note:
        return name, finding.note, "-" if finding.live is None else str(finding.live)
    if not finding.property:
        return name, "there", "not there"
    place, declared, live = excerpts(finding.declared, finding.live)
    return f"{name} {place.rstrip(': ')}".rstrip(), declared, live


def troubles(site: SiteReport) -> list[tuple[str, str, str]]:
    """What could not be looked at: the node, which things of it, and why, with what to do about it."""
    silent = {(case.node, case.told) for case in site.cases if case.message}
    return [(node or CLUSTER, _unseen(site, node, told), told) for node, told in sorted(silent)]


def _unseen(site: SiteReport, node: str, told: str) -> str:
    things = sorted({case.thing for case in site.cases if (case.node, case.told) == (node, told)})
    if len(things) == len({case.thing for case in site.cases if case.node == node}):
        return "nothing could be looked at"
    return f"not looked at: {', '.join(things)}"


def _short(finding: Finding) -> str:
    """The property without the node, which has a column of its own."""
    for way in (f"nodes.{finding.node}", f'nodes["{finding.node}"]'):
        if finding.node and finding.property.startswith(way):
            return finding.property.removeprefix(way).removeprefix(".") or finding.property
    return finding.property


def _site(site: SiteReport) -> RenderableType:
    parts: list[RenderableType] = [Text.from_markup(heading(site))]
    if site.message:
        parts.append(Text(f"  {site.message}"))
    if site.findings:
        parts.append(_table(site))
    for node, which, told in troubles(site):
        parts.append(Text.from_markup(f"  [red]{escape(node)}[/red]: {escape(which)}: {escape(told)}"))
    parts += [Text.from_markup(f"  [dim]notice: {escape(text)}[/dim]") for text in site.notices]
    return Group(*parts)


def _table(site: SiteReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 2))
    for column in ("node", "thing", "property", "declared", "live", "why"):
        table.add_column(column, overflow="fold", no_wrap=column in ("node", "thing"))
    for finding in site.findings:
        texts = (finding.node or CLUSTER, finding.thing, *described(finding), ORIGINS[finding.origin])
        table.add_row(*(escape(text) for text in texts))
    return table
