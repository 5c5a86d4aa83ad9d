"""A drill of a whole site: readiness, each scenario, the records, the report."""

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
from operations.drill.armed import pending
from operations.drill.clients import Clients, FromHere, FromNode
from operations.drill.eyes import SiteEyes
from operations.drill.hands import SiteHands
from operations.drill.interruptible import to_its_end
from operations.drill.judge import bounds_of, judge, single_log
from operations.drill.model import DrillReport, ScenarioReport
from operations.drill.plug import NoPlug, Plug
from operations.drill.runner import Course, Runner, stand_in_words
from operations.drill.scenarios import Scenario, scenarios
from operations.drill.show import outcome
from operations.drill.steps import Served, Stand, Steps, View
from operations.logs.place import mirror_log
from operations.proof.model import Logs, Request
from operations.proof.read import read_records
from operations.stacks import Misused
from operations.verify.requests import HERE, Target
from operations.verify.site import default_url
from providers.connection.cluster import Cluster
from providers.connection.command import command, script
from providers.connection.errors import HostError, Refused, TimedOut, Unreachable, in_a_line
from providers.host.waiting import until

RECORDED_WITHIN = 10.0
"""Seconds until a record has to be in the log: Squid writes it when the request ends, after the client's last byte."""
BEFORE = 20
"""Answers that clients get before anything is disturbed."""
_MISSING = 'for tool in "$@"; do command -v "$tool" >/dev/null || printf "%s\\n" "$tool"; done'
ARM = 60.0
"""Seconds beyond the stated gap after which a cut network comes back by itself."""


@dataclass(frozen=True)
class Options:
    """``names``: scenarios, all that can be done without any. ``knows``: somebody has said that he knows what breaks.

    ``sender``: `here`, a node's name, or empty for the plug's clients, or the scenario's node where there are none.
    ``patience``: seconds for the engine to do what it should; None: three times the longest gap stated, and at least
    five minutes. ``machine``: what the hosts are, for the report.
    """

    names: Sequence[str] = ()
    knows: bool = False
    sender: str = ""
    rate: float = 5.0
    url: str = ""
    patience: float | None = None
    machine: str = ""
    plug: Plug = field(default_factory=NoPlug)


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
    Raises `Refused` where the plug is another site's, nobody has said that he knows, or the site is not ready, before
    anything is changed;
    `Misused` for a scenario or a sender that does not exist; `Unreachable` or `Unknown` where nothing can be told.
    """
    chosen = named(options)
    refuse_plug(site, options.plug)
    _refuse_breaking(chosen, options)
    refuse_single(site)
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
            self.reports.append(await self._one(scenario, _view(self.site, ready, self.options)))
            self.cluster.progress(outcome(self.reports[-1]))
            if len(self.reports) == len(self.doable):
                return
            try:
                ready = await readiness(self.cluster, self.site)
            except HostError as trouble:
                self.leave_out(f"after {scenario.name}, {in_a_line(trouble)}")
                return

    async def _one(self, scenario: Scenario, view: View) -> ScenarioReport:
        run = f"d{time.time_ns() // 1_000_000}"
        clients = clients_for(self.cluster, self.options, scenario.sender(view), run, 10 * view.patience)
        self.senders.append(clients.place)
        return await _one(self.cluster, scenario, view, clients, run, self.options)

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


def _refuse_breaking(chosen: Sequence[Scenario], options: Options) -> None:
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


async def _one(
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
    return judge(scenario, bounds_of(site, scenario), course, logs, run, stays=traits(site).stays, hints=hints)


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
