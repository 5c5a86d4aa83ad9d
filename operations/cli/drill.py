"""`squid-ha drill`: disturb a site on purpose, and hold what comes of it against what the site states."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli._arguments import StackName, senders
from operations.cli._console import out, tell
from operations.cli._errors import expected
from operations.cli._exit import DIFFERS, INTERRUPTED
from operations.trouble import Misused

if TYPE_CHECKING:
    from operations.drill.model import DrillReport
    from operations.drill.plug import Plug
    from operations.site import Hosts


def _scenarios() -> list[str]:
    from operations.drill.scenarios import scenarios

    return list(scenarios())


def command(  # noqa: PLR0917 the options of a command
    stack: StackName,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Only this one; may be given several times.", metavar="NAME", autocompletion=_scenarios),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Show what can be done here, and do nothing.")] = False,
    knows: Annotated[
        bool, typer.Option("--i-know", help="Also run unplanned scenarios, which break things; clients may notice.")
    ] = False,
    sender: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="here|NODE",
            help="Where requests come from; else the standby node.",
            autocompletion=senders,
        ),
    ] = "",
    rate: Annotated[float, typer.Option(min=0.5, max=200, help="Requests a second.")] = 5.0,
    url: Annotated[str, typer.Option(help="A page to ask the proxy for, such as http://192.0.2.1/.")] = "",
    power: Annotated[
        str, typer.Option(metavar="COMMAND", help="Switches nodes off and on: run as COMMAND off|on NODE.")
    ] = "",
    plug: Annotated[
        str, typer.Option(metavar="MODULE:NAME", help="A lab's Python object that controls power, cables and disks.")
    ] = "",
    patience: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds that the engine is given; without it three times the longest of unplanned_gap and gaps, "
            "at least 300.",
        ),
    ] = None,
    machine: Annotated[str, typer.Option(help="What the hosts are, for the report.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit's XML there.")] = None,
    chart: Annotated[
        Path | None,
        typer.Option("--chart", "--html", help="Write a page with charts there, or the charts alone (.svg)."),
    ] = None,
) -> None:
    """Move the service and break things while clients send requests, and check the outcome against the site's bounds
    (docs/drill.md).

    Without --i-know only planned scenarios run, unless --plug names a lab's plug. Refused (exit code 5) unless the site
    is healthy. Exit code 3 where a verdict is red. Ctrl-C undoes what is broken.
    """
    from operations.drill.interruptible import Interrupted, run_in_order
    from operations.drill.options import Options
    from operations.drill.site import drill
    from operations.site import hosts_of
    from operations.verify.requests import require_url

    if power and plug:
        raise Misused("--power and --plug do not go together: the plug has hold of the power.")
    if url:
        require_url(url)
    options = Options(scenario or [], knows, sender, rate, url, patience, machine, _plug(power, plug))
    hosts = hosts_of(stack)
    if list_only:
        _list(hosts, options.plug, as_json=as_json)
        return
    cluster, keep = hosts.cluster(progress=tell), partial(_keep, junit_file=junit_file, chart=chart)
    found: list[DrillReport] = []

    async def drilled() -> None:
        found.append(await drill(cluster, hosts.site, stack, options, found.append))

    try:
        run_in_order(drilled(), tell, _told_of_undoing(power, plug))
    except Interrupted as ended:
        tell(str(ended))
        if found:
            _cut_short(found[-1], ended, keep, as_json=as_json)
        raise typer.Exit(INTERRUPTED) from None
    except Exception as trouble:
        if found and found[-1].scenarios:
            _cut_short(found[-1], trouble, keep, as_json=as_json)
        raise
    report = found[-1]
    try:
        keep(report)
    finally:
        # A file that cannot be written does not hide what was found.
        _print(report, as_json=as_json)
    if report.verdict != "green":
        raise typer.Exit(DIFFERS)


def _cut_short(found: DrillReport, ended: Exception, keep: Callable[[DrillReport], None], *, as_json: bool) -> None:
    """Keep and print what was found before the drill was ended.

    A file that cannot be written is told, and does not hide how the drill ended.
    """
    from operations.drill.interruptible import Interrupted
    from providers.connection.errors import Unforeseen, in_a_line

    why = ended if isinstance(ended, (*expected(), Interrupted)) else Unforeseen.of(ended)
    report = found.model_copy(update={"ended_by": in_a_line(why)})
    if report.scenarios:
        try:
            keep(report)
        except Exception as trouble:  # noqa: BLE001
            tell(f"what was found until then could not be written everywhere: {in_a_line(trouble)}")
    if report.scenarios or as_json:
        _print(report, as_json=as_json)


def _print(report: DrillReport, *, as_json: bool) -> None:
    from operations.drill.show import render

    if as_json:
        out.document(report.model_dump_json(indent=2))
    else:
        out.print(render(report))


def _keep(report: DrillReport, junit_file: Path | None, chart: Path | None) -> None:
    """Keep a report, and write the files that are wanted. Raises `StackTrouble` for those that cannot be written."""
    from operations.drill.saved import save
    from operations.files import try_each

    writes: list[Callable[[], object]] = [lambda: tell(f"the report is {save(report)}")]
    if junit_file is not None:
        from operations.drill import junit

        writes.append(partial(junit.write, report, junit_file))
    if chart is not None:
        from operations.drill.chart import write

        writes.append(partial(write, report, chart))
    try_each(writes)


def _plug(power: str, name: str) -> Plug:
    from operations.drill.plug import CommandPlug, NoPlug, load

    if name:
        return load(name)
    return CommandPlug(command=power) if power else NoPlug()


def _told_of_undoing(power: str, plug: str) -> str:
    """Who undoes what is broken should the drill not; told before it begins where that is not the nodes alone."""
    nodes = "the nodes undo it by themselves"
    if not power and not plug:
        return nodes
    more = (
        "and a process on this machine switches on what `--power` has switched off; nobody does if this machine is lost"
        if power
        else "but not what the plug has taken: that stays so until it is given back"
    )
    tell(f"should the drill be killed while something is broken, {nodes}, {more}")
    return f"{nodes}, {more}"


def _list(hosts: Hosts, plug: Plug, *, as_json: bool) -> None:
    import json

    from operations.drill.ready import refuse_plug, refuse_single
    from operations.drill.scenarios import scenarios
    from operations.drill.show import listing
    from operations.drill.steps import View

    site, known = hosts.site, scenarios()
    refuse_plug(site, plug)
    refuse_single(site)
    view = View(site, site.nodes[0].name, site.nodes[1].name, frozenset(plug.can))
    lacking = {name: why for name, each in known.items() if (why := each.lacks(view))}
    if as_json:
        told = [
            {"name": name, "title": each.title, "planned": each.planned, "lacks": lacking.get(name, "")}
            for name, each in known.items()
        ]
        out.document(json.dumps(told, indent=2))
    else:
        out.print(listing(known, lacking))
