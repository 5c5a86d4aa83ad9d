"""A drill of a whole site: each scenario, the records, the report."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from blueprint.platforms import PLATFORMS
from blueprint.traits import traits
from declaration.site import Site
from operations.drill.clients import Clients, FromHere, FromNode
from operations.drill.eyes import SiteEyes
from operations.drill.hands import SiteHands
from operations.drill.interruptible import to_its_end
from operations.drill.judge import bounds_of, judge, single_log
from operations.drill.model import DrillReport, ScenarioReport
from operations.drill.options import Options
from operations.drill.ready import (
    named,
    readiness,
    refuse_breaking,
    refuse_plug,
    refuse_single,
    refuse_unknown,
    sorted_out,
    without_tools,
)
from operations.drill.runner import Course, Runner
from operations.drill.scenarios import Scenario
from operations.drill.show import outcome
from operations.drill.steps import Served, Stand, Steps, View
from operations.logs.place import mirror_log
from operations.proof.model import Logs, Request
from operations.proof.read import read_records
from operations.trouble import Misused
from operations.verify.requests import HERE, Target
from operations.verify.site import default_url
from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import HostError, in_a_line
from providers.host.waiting import until

RECORDED_WITHIN = 10.0
"""Seconds until a record has to be in the log: Squid writes it when the request ends, after the client's last byte."""
BEFORE = 20
"""Answers that clients get before anything is disturbed."""
ARM = 60.0
"""Seconds beyond the stated gap after which a cut network comes back by itself."""


async def drill(
    cluster: Cluster,
    site: Site,
    stack: str,
    options: Options,
    cut_short: Callable[[DrillReport], None] = lambda _report: None,
) -> DrillReport:
    """Run the scenarios one after the other; the first that does not leave the site healthy is the last.

    ``cut_short`` is given what was found until then, where the drill ends by a signal or by an error once its scenarios
    have begun. It only takes the report: what it raises would hide why the drill ends, and what is not undone.
    Raises `Refused` where the plug is another site's, nobody has said that he knows, the site is not ready, or it
    states bounds of a scenario that does not exist, before anything is changed;
    `Misused` for a scenario or a sender that does not exist; `Unreachable` or `Unknown` where nothing can be told.
    """
    chosen = named(options)
    refuse_plug(site, options.plug)
    refuse_breaking(chosen, options)
    refuse_single(site)
    refuse_unknown(site)
    # Before anything is looked at: what another operator does meanwhile would make it untrue. A node that is off is
    # for `readiness` to name.
    await cluster.hold(without_lost=True)
    ready = await readiness(cluster, site)
    view = _view(site, ready, options)
    lacking = {each.name: why for each in chosen if (why := each.lacks(view))}
    lacking |= await without_tools(cluster, [each for each in chosen if each.name not in lacking], view)
    doable, left_out = sorted_out(chosen, lacking, options)
    machine = await _machine(options, cluster.progress)
    done = _Drill(cluster, site, stack, options, machine, doable, left_out)
    try:
        await done.run(ready)
    except BaseException:
        done.leave_out("the drill was ended before this was over")
        cut_short(done.report())
        raise
    return done.report()


async def _machine(options: Options, tell: Callable[[str], None]) -> str:
    """What the hosts are: as was said, as the plug knows it, or else the name of the machine that this runs on."""
    told = options.machine
    if not told:
        try:
            told = await asyncio.to_thread(options.plug.machine)
        except HostError as trouble:
            tell(f"what the hosts are cannot be told: {in_a_line(trouble)}")
    return told or f"drill run on {platform.node()}"


@dataclass
class _Drill:
    """The scenarios of one drill, as far as they have come."""

    cluster: Cluster
    site: Site
    stack: str
    options: Options
    machine: str
    doable: Sequence[Scenario]
    left_out: dict[str, str]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    senders: list[str] = field(default_factory=list[str])
    reports: list[ScenarioReport] = field(default_factory=list[ScenarioReport])

    async def run(self, ready: Stand) -> None:
        """All of them, or up to the first that leaves the site not ready for another."""
        for scenario in self.doable:
            self.cluster.progress(f"{scenario.name}: {scenario.title}")
            # A node that was off has lost its lock.
            await self.cluster.hold()
            self.reports.append(await self._scenario(scenario, _view(self.site, ready, self.options)))
            self.cluster.progress(outcome(self.reports[-1]))
            if len(self.reports) == len(self.doable):
                return
            try:
                ready = await readiness(self.cluster, self.site)
            except HostError as trouble:
                self.leave_out(f"after {scenario.name}, {in_a_line(trouble)}")
                return

    async def _scenario(self, scenario: Scenario, view: View) -> ScenarioReport:
        run = f"d{time.time_ns() // 1_000_000}"
        clients = clients_for(self.cluster, self.options, scenario.sender(view), run, 10 * view.patience)
        self.senders.append(clients.place)
        return await _run_scenario(self.cluster, scenario, view, clients, run, self.options)

    def leave_out(self, why: str) -> None:
        """Scenarios that have not ended are not begun any more, or count for nothing."""
        self.left_out |= {each.name: why for each in self.doable[len(self.reports) :]}

    def report(self) -> DrillReport:
        """What was found until now; green where nothing was left out on the way and every verdict is green."""
        whole = len(self.reports) == len(self.doable) > 0
        green = whole and all(each.verdict == "green" for each in self.reports)
        places = " and ".join(dict.fromkeys(self.senders))
        rate = f"{self.options.rate:g} requests a second"
        return DrillReport(
            site=self.stack,
            started=self.started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            verdict="green" if green else "red",
            engine=self.site.engine,
            phase=self.site.phase,
            clients=f"from {places}, {rate}" if places else rate,
            machine=self.machine,
            scenarios=self.reports,
            left_out=self.left_out,
        )


def _view(site: Site, ready: Stand, options: Options) -> View:
    assert ready.active is not None  # noqa: S101 it is healthy
    standby = next(node.name for node in site.nodes if node.name != ready.active)
    longest = max(each.seconds for each in (site.drill.unplanned_gap, *site.drill.gaps.values()))
    patience = options.patience or max(300.0, 3 * longest)
    return View(site, ready.active, standby, options.plug.can, patience, longest + ARM)


def clients_for(cluster: Cluster, options: Options, default: str, run: str, longest: float = 0.0) -> Clients:
    """Where requests come from; from node ``default`` if nothing else is asked for and the plug has no clients.

    ``longest``: seconds that a scenario takes at the very most, after which those on a node may end by themselves.
    Raises `Misused` for a node that is not there.
    """
    if options.sender == HERE:
        return FromHere(run, options.rate)
    if options.sender:
        if options.sender not in cluster.nodes:
            raise Misused(f"--from: `{options.sender}` is no node of this site; {HERE}, or {', '.join(cluster.nodes)}.")
        return FromNode(run, options.rate, cluster.nodes[options.sender], longest)
    return options.plug.clients(run, options.rate) or FromNode(run, options.rate, cluster.nodes[default], longest)


async def _run_scenario(
    cluster: Cluster, scenario: Scenario, view: View, clients: Clients, run: str, options: Options
) -> ScenarioReport:
    site = view.site
    address = site.virtual_ip or site.node(view.active).address
    target = Target(str(address), site.squid.port, options.url or default_url(site))
    eyes, hands = SiteEyes(cluster, site), SiteHands(cluster, site, options.plug)
    runner = Runner(eyes, hands, clients, settle=3 * view.patience, progress=cluster.progress)
    try:
        await to_its_end(clients.start(target))
        course = await runner.run(served_first(scenario.steps(view)))
        course.requests = await _requests(clients, course)
        logs = await _logs(cluster, course, site, run)
    finally:
        await to_its_end(_stopped(clients))
    hints = await hints_of(cluster, site) if logs is not None else []
    return judge(scenario, bounds_of(site, scenario), course, logs, run, stays=traits(site).stays_setting, hints=hints)


async def _requests(clients: Clients, course: Course) -> list[Request]:
    """All that were sent; of a sender that is lost with the node that it was on, those that it told before."""
    try:
        return await clients.stop()
    except HostError as trouble:
        course.find("went wrong", f"the clients cannot be asked any more: {in_a_line(trouble)}")
        return course.requests


def served_first(steps: Steps) -> Steps:
    """A scenario's steps, with clients that are served before the first of them."""
    stand = yield Served(BEFORE)
    step = next(steps, None)
    while step is not None:
        stand = yield step
        try:
            step = steps.send(stand)
        except StopIteration:
            return


async def _stopped(clients: Clients) -> None:
    try:
        await clients.stop()
    except HostError:
        # On a node that cannot be reached: they end by themselves.
        return


async def _logs(cluster: Cluster, course: Course, site: Site, run: str) -> Logs | None:
    """The records, once those of the last requests are there too; None where they cannot be read."""
    active = course.last.active
    if active is None:
        return None
    replied = {request.id for request in course.requests if request.replied}

    async def read() -> Logs:
        found = await read_records(cluster, site, active, run)
        return found if mirror_log(site) else single_log(found)

    def complete(logs: Logs) -> bool:
        text = "\n".join(line.text for line in logs.mirror) + " "
        return all(f"/r/{name} " in text for name in replied)

    try:
        logs, _ = await until(read, complete, RECORDED_WITHIN)
    except HostError as trouble:
        course.find("not counted", in_a_line(trouble))
        return None
    return logs


async def hints_of(cluster: Cluster, site: Site) -> list[str]:
    """What on the nodes explains lost records: `daemon:` hands them over by a queue that drops what is too much."""
    conf = PLATFORMS[site.platform].squid_configuration
    look = command("grep", "-E", "^[[:space:]]*access_log[[:space:]]+daemon:", conf, ok={0, 1, 2}, reads=True)
    try:
        found = await cluster.each(lambda node: node.run(look))
    except HostError:
        return []
    return [
        f"{conf} on {name} logs by `daemon:`, which drops records when the disk is slow"
        for name, said in found.items()
        if said.exit_code == 0
    ]
