"""The overview of sites: as text, JSON and a page that needs nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from declaration.site import Site
from operations import status as statuses
from operations.cli import status as cli
from operations.drift import Case, Finding, Outcome, SiteReport
from operations.overview import Overview, Pauses, impatient, page, read, render, unread
from operations.overview.model import Drill, Scenario
from operations.overview.read import last_drill
from operations.states import state_in_words
from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result, command
from providers.connection.errors import HostError, Refused, SudoRefused, Unknown, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.loop import run_sync
from providers.host.clocks import UNITS
from providers.roles import UP_TO_DATE, MirrorView, Notice, NoticeKind
from tests.support.terminal import squid_ha

RECORDED = Path(__file__).parents[2] / "recorded"
MEMBERS = ("mirror", "filesystem", "squid", "address")
WHOLE = MirrorView(
    role="source", connected=True, connection="Connected", data=UP_TO_DATE, peer_data=UP_TO_DATE, percent=100.0
)


@dataclass
class FakeTree:
    states: Mapping[str, Mapping[str, str]]
    active: str | None = "qsp-a"


@dataclass
class FakeRuntime:
    states: dict[str, str] = field(default_factory=dict[str, str])
    views: Mapping[str, MirrorView] = field(default_factory=lambda: {"qsp-a": WHOLE, "qsp-b": WHOLE})
    said: Sequence[Notice] = ()
    error: Exception | None = None

    async def tree(self, cluster: Cluster) -> FakeTree:
        if self.error:
            raise self.error
        return FakeTree({name: {"qsp-a": self.states.get(name, "Started"), "qsp-b": "Stopped"} for name in MEMBERS})

    async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
        return self.views

    async def notices(self, cluster: Cluster) -> Sequence[Notice]:
        if self.error:
            raise self.error
        return self.said


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    made = FakeRuntime()

    class Engine:
        runtime = made

    # The package offers the function `read` under its module's name.
    monkeypatch.setitem(read.__globals__, "engine_of", lambda site: Engine())
    return made


def clock(name: str):
    def answer(command: Command) -> Result:
        if "tracking" in command.argv:
            return Result(command, 0, (RECORDED / "chronyc-tracking" / name).read_text(), "")
        if "sources" in command.argv:
            one = RECORDED / "chronyc-sources/one-selected-one-unreachable.txt"
            return Result(command, 0, one.read_text(), "")
        unit = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no"
        return Result(command, 0, "\n\n".join([unit] * len(UNITS)), "")

    return answer


def seen(site: Site, second: str = "synchronised.txt") -> tuple[statuses.Status | None, Overview]:
    cluster = fake_cluster(FakeNode("qsp-a", clock("synchronised.txt")), FakeNode("qsp-b", clock(second)))
    found = run_sync(read(cluster, site, "lab"))
    return found.status, found.overview


def shown(*found: tuple[statuses.Status | None, Overview]) -> str:
    text = io.StringIO()
    Console(width=120, file=text).print(render(found))
    return text.getvalue()


def test_states_are_in_the_words_of_lifekeepers_window() -> None:
    states = ("Started", "Promoted", "Stopped", "Unpromoted", "Failed", "Starting", "")
    words = [state_in_words(state) for state in states]
    assert words == ["in service", "in service", "standby", "standby", "failed", "starting", "unknown"]


def test_a_good_site_has_tree_mirror_and_clocks(site: Site, runtime: FakeRuntime) -> None:
    status, overview = seen(site)
    assert (overview.health, overview.active, overview.address) == ("good", "qsp-a", "192.0.2.10:3128")
    assert [(member.name, member.depth) for member in overview.members] == [
        ("address", 0), ("squid", 1), ("filesystem", 2), ("mirror", 3),
    ]  # fmt: skip
    assert overview.members[0].states == {"qsp-a": "in service", "qsp-b": "standby"}
    assert [clock.good for clock in overview.clocks] == [True, True]
    lines = shown((status, overview)).splitlines()
    assert lines[0] == "The proxy 192.0.2.10:3128 runs on qsp-a."
    assert any(re.match(r"qsp-b +192\.0\.2\.1 \(chrony\) +\d+ +[+-]0\.\d{6} s", line) for line in lines)


@pytest.mark.parametrize(
    ("states", "health", "said"),
    [({"squid": "Degraded"}, "degraded", "degraded"), ({"squid": "Failed"}, "bad", "does not run as a whole")],
)
def test_what_is_wrong_with_the_service_shows(site: Site, runtime: FakeRuntime, states, health, said) -> None:
    runtime.states = states
    status, overview = seen(site)
    assert overview.health == health
    assert said in shown((status, overview))


def test_a_clock_without_a_source_is_not_good(site: Site, runtime: FakeRuntime) -> None:
    status, overview = seen(site, "no-sources.txt")
    assert overview.healthy
    assert overview.health == "degraded"
    assert "no source is selected" in shown((status, overview))


@pytest.mark.parametrize("kind", ["standby", "maintenance", "fence", "unfenced", "ban"])
def test_a_site_that_would_not_fail_over_is_not_well(site: Site, runtime: FakeRuntime, kind: NoticeKind) -> None:
    runtime.said = [Notice(kind, "the service would not move by itself", "qsp-b")]
    _, overview = seen(site)
    assert not overview.healthy
    assert overview.health == "degraded"


@pytest.mark.parametrize(
    "halves",
    [
        {"qsp-a": MirrorView("target", data="up to date"), "qsp-b": MirrorView("target", data="up to date")},
        {"qsp-a": MirrorView(trouble="no [answer]"), "qsp-b": MirrorView(trouble="no [answer]")},
        {"qsp-b": MirrorView("source", data="up to date")},
        {"qsp-b": MirrorView()},
    ],
)
def test_a_mirror_without_a_source_or_with_one_half_shows_on_page_and_terminal(
    site: Site, runtime: FakeRuntime, halves: dict[str, MirrorView], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mirror(_cluster: object) -> dict[str, MirrorView]:
        return halves

    monkeypatch.setattr(runtime, "mirror", mirror)
    status, overview = seen(site)
    written = page([overview])
    assert all(f"<strong>{name}</strong>" in written for name in halves)
    assert "not reached" not in written, "a node that answers may not tell of its half either"
    assert ("not known</span>" in written) is any(view.trouble for view in halves.values())
    assert all(view.trouble in shown((status, overview)) for view in halves.values())


def test_nor_is_one_whose_standby_is_gone(site: Site, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    async def online(_cluster: object) -> frozenset[str]:
        return frozenset({"qsp-a"})

    monkeypatch.setattr(runtime, "online", online, raising=False)
    monkeypatch.setattr(runtime, "fenced", online, raising=False)
    assert not seen(site)[1].healthy


def test_nor_is_one_of_which_nobody_can_tell_whether_the_standby_is_there(
    site: Site, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def online(_cluster: object) -> frozenset[str]:
        raise Unknown("no node can tell", node="qsp-a")

    monkeypatch.setattr(runtime, "online", online, raising=False)
    monkeypatch.setattr(runtime, "fenced", online, raising=False)
    status, overview = seen(site)
    assert (overview.message, overview.healthy) == ("", False)
    said = "which nodes take part is not known: qsp-a: no node can tell"
    assert f"notice: {said}" in shown((status, overview))
    assert said in Page(page([overview])).words


def test_a_service_on_a_node_that_is_gone_is_not_said_to_run(site: Site, runtime: FakeRuntime) -> None:
    """Between a crash and its failover the node that is left tells what it last knew."""
    runtime.said = [Notice("apart", "qsp-a takes no part in the cluster", node="qsp-a")]
    read_, overview = seen(site)
    assert overview.health == "bad"
    for written in (shown((read_, overview)), Page(page([overview])).words):
        assert "ran on qsp-a, which takes no part any more" in written
        assert "runs on" not in written


def test_notices_show_and_are_no_fault(site: Site, runtime: FakeRuntime) -> None:
    runtime.said = [Notice("constraint", "cli-prefer-squid binds squid to [qsp-b]", "qsp-b")]
    status, overview = seen(site)
    assert overview.health == "good"
    assert "notice: cli-prefer-squid binds squid to [qsp-b]" in shown((status, overview))


def test_notices_that_nobody_can_tell_are_not_none(
    site: Site, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def notices(_cluster: object) -> list[Notice]:
        raise Unknown("crm_mon was not [understood]", node="qsp-a", remedy="look at it")

    monkeypatch.setattr(runtime, "notices", notices)
    status, overview = seen(site)
    assert (overview.message, overview.healthy) == ("", False)
    said = "not known: qsp-a: crm_mon was not [understood] → look at it"
    assert f"notices: {said}" in shown((status, overview))
    words = Page(page([overview])).words
    assert said in words
    assert "none\n" not in words.split("Notices", 1)[1].split("Last drill")[0]


def test_the_last_drill_is_read_from_its_file(tmp_path: Path) -> None:
    assert last_drill(tmp_path, "lab") is None
    folder = tmp_path / ".state/drills/lab"
    folder.mkdir(parents=True)
    (folder / "latest.json").write_text("{")
    assert last_drill(tmp_path, "lab") is None
    scenario = {"name": "move", "verdict": "red", "longest_gap": 2.5, "sent": 9, "findings": ["gap"]}
    (folder / "latest.json").write_text(
        json.dumps({"site": "lab", "started": "2026", "verdict": "red", "scenarios": [scenario]})
    )
    assert last_drill(tmp_path, "lab") == Drill(
        started="2026", verdict="red", scenarios=[Scenario(name="move", verdict="red", longest_gap=2.5, sent=9)]
    )


class Page(HTMLParser):
    """What a page consists of, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_needs_nothing_else_and_has_all_there_is(site: Site, runtime: FakeRuntime) -> None:
    runtime.said = [Notice("failure", "<script>alert(1)</script>")]
    _, overview = seen(site, "no-sources.txt")
    finding = Finding(
        thing="names", node="qsp-b", property="nodes.qsp-b", declared="a", live="<img src=x>", origin="host"
    )
    case = Case(thing="names", kind="host.names", node="qsp-b", outcome=Outcome.DRIFT, findings=[finding])
    drill = Drill(started="2026", verdict="red", scenarios=[Scenario(name="node powered off", verdict="red", lost=2)])
    full = overview.model_copy(update={"drift": SiteReport(stack="lab", cases=[case]), "drill": drill})
    text = page([full, unread("rome", "no node can tell", 4)])
    found = Page(text)
    assert (found.open, found.loads) == ([], []), "it is not whole, or it loads something"
    assert not re.search(r"url\(|@import|<script", text)
    for word in ("in service", "source", "100.0 % in sync", "no source is selected", "<script>alert(1)</script>",
                 "<img src=x>", "changed on the host", "node powered off", "no node can tell"):  # fmt: skip
        assert word in found.words, word
    assert "http-equiv" not in text
    assert '<meta http-equiv="refresh" content="5">' in page([full], 5.0)


def test_a_page_says_of_which_node_drift_is_not_known_and_why(site: Site, runtime: FakeRuntime) -> None:
    _, overview = seen(site, "no-sources.txt")
    why = "no SSH connection to qsp-b: No route to host"
    cases = [
        Case(thing=thing, kind="host.names", node=node, outcome=outcome, message=message)
        for thing in ("names", "time")
        for node, outcome, message in (("qsp-a", Outcome.CLEAN, ""), ("qsp-b", Outcome.UNREACHABLE, why))
    ]
    text = page([overview.model_copy(update={"drift": SiteReport(stack="lab", cases=cases)})])
    assert f"qsp-b: nothing could be looked at: {why}" in Page(text).words


@pytest.mark.parametrize("error", [Unknown("no node has [a] quorum"), SudoRefused("no root [here]", node="qsp-a")])
def test_where_no_engine_can_tell_mirror_and_clocks_show_beside_the_reason(
    site: Site, runtime: FakeRuntime, error: HostError
) -> None:
    runtime.error = error
    status, overview = seen(site, "no-sources.txt")
    assert (status, overview.health, overview.members, overview.active) == (None, "unknown", (), None)
    assert [clock.problem for clock in overview.clocks] == ["", "no source is selected"]
    text = shown((status, overview))
    assert text.splitlines()[0] == str(error)
    assert re.search(r"^qsp-a +source +Connected", text, re.MULTILINE)
    assert "no source is selected" in text
    words = Page(page([overview.model_copy(update={"drill": Drill(started="2026", verdict="red")})])).words
    for word in (error.message, "nobody can tell where it runs", "100.0 % in sync", "no source is selected", "2026"):
        assert word in words, word
    assert "does not run as a whole" not in words
    assert "Not reached" not in words


def test_where_no_node_answers_the_clocks_say_so_and_the_mirror_does_not_repeat_it(
    site: Site, runtime: FakeRuntime
) -> None:
    def gone(command: Command) -> str:
        raise Unreachable("no answer")

    runtime.error = Unknown("LifeKeeper answers on no node")
    runtime.views = {name: MirrorView(trouble=f"{name}: no answer") for name in ("qsp-a", "qsp-b")}
    found = run_sync(read(fake_cluster(FakeNode("qsp-a", gone), FakeNode("qsp-b", gone)), site, "lab"))
    assert not found.answered
    text = shown((found.status, found.overview))
    assert text.splitlines()[0] == "LifeKeeper answers on no node"
    assert re.findall(r"qsp-[ab] +no answer", text) == ["qsp-a  no answer", "qsp-b  no answer"]
    assert text.count("no answer") == 2


@dataclass
class FakeHosts:
    stack: str
    site: Site
    owner: str = "squid-ha/lab"

    def cluster(self, progress: object) -> Cluster:
        return fake_cluster(FakeNode("qsp-a", clock("synchronised.txt")), FakeNode("qsp-b", clock("synchronised.txt")))

    run = staticmethod(run_sync)


@pytest.fixture
def call(site: Site, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch):
    def pair_of(stack: str) -> FakeHosts:
        if stack == "alone":
            raise Refused("stack `alone` has a single node")
        return FakeHosts(stack, site)

    monkeypatch.setattr(cli, "pair_of", pair_of)
    return lambda *arguments: squid_ha("status", *arguments)


def test_exit_codes(call, runtime: FakeRuntime) -> None:
    assert call("lab").exit_code == 0
    assert call("lab", "alone").exit_code == 5
    runtime.states = {"squid": "Failed"}
    assert call("lab").exit_code == 3
    runtime.error = Unknown("no node can tell")
    silent = call("lab", "other")
    assert silent.exit_code == 4
    assert silent.stdout.count("no node can tell") == 2
    single = call("lab")
    assert (single.exit_code, single.stderr.strip()) == (4, "no node can tell")
    assert "no node can tell" not in single.stdout
    assert "192.0.2.1 (chrony)" in single.stdout
    assert call("lab", "alone").exit_code == 4


def test_json_is_one_document(call, runtime: FakeRuntime) -> None:
    document = json.loads(call("lab", "other", "--json").stdout)
    assert [(each["stack"], each["health"], each["drift"]) for each in document["sites"]] == [
        ("lab", "good", None), ("other", "good", None),
    ]  # fmt: skip


def test_watching_as_json_is_one_document_a_line(call, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    once = json.loads(call("lab", "other", "--json").stdout)

    def sleep(_seconds: float) -> None:
        if runtime.states:
            raise KeyboardInterrupt
        runtime.states = {"squid": "Failed"}

    monkeypatch.setattr(cli.time, "sleep", sleep)
    runtime.states = {}
    watched = call("lab", "other", "--json", "--watch")
    assert watched.exit_code == 0, watched.output
    good, bad = (json.loads(line) for line in watched.stdout.splitlines())
    assert [each["health"] for each in good["sites"]] == ["good", "good"]
    assert [each["exit_code"] for each in bad["sites"]] == [3, 3]
    assert good.keys() == once.keys()
    assert [list(each) for each in good["sites"]] == [list(each) for each in once["sites"]]


def test_watching_without_a_terminal_is_one_reading_after_the_other(call, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        assert len(printed) == len(rounds), "what was read is not there before the next reading"
        if len(rounds) == 2:
            raise KeyboardInterrupt

    printed: list[object] = []
    monkeypatch.setattr(cli.out, "print", printed.append)
    monkeypatch.setattr(cli.time, "sleep", sleep)
    assert call("lab", "--watch").exit_code == 0


class Hanging(FakeNode):
    """A node that takes a command and never answers."""

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        self.commands += commands
        await asyncio.Event().wait()
        return []


async def test_a_node_that_hangs_is_waited_for_once_and_hides_no_other() -> None:
    pauses = Pauses()
    nodes = FakeNode("qsp-a", lambda _: "well"), (hangs := Hanging("qsp-b"))
    cluster = impatient(fake_cluster(*nodes), 0.02, pauses)
    ask = command("true", reads=True)
    for _ in range(2):
        with pytest.raises(Unreachable, match=r"qsp-b: it did not answer within 0\.02 s"):
            await cluster.node("qsp-b").batch([ask])
    assert len(hangs.commands) == 1
    assert (await cluster.node("qsp-a").run(ask)).stdout == "well"


async def test_a_node_that_hangs_is_asked_again_with_growing_pauses_until_it_answers() -> None:
    now = [1000.0]
    pauses, hangs = Pauses(first=30, longest=100, clock=lambda: now[0]), Hanging("qsp-b")
    asked: list[float] = []
    ask = command("true", reads=True)
    for _ in range(300):
        with pytest.raises(Unreachable):
            await impatient(fake_cluster(hangs), 0.001, pauses).node("qsp-b").batch([ask])
        if len(hangs.commands) > len(asked):
            asked.append(now[0] - 1000)
        now[0] += 1
    assert asked == [0, 30, 90, 190, 290]
    now[0] += 100
    well = FakeNode("qsp-b", lambda _: "well")
    assert (await impatient(fake_cluster(well), 1, pauses).node("qsp-b").run(ask)).stdout == "well"
    assert pauses.left("qsp-b") <= 0


def test_watching_does_not_wait_for_a_node_that_hangs_and_each_block_begins_with_its_time(
    call, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = FakeNode("qsp-a", clock("synchronised.txt")), Hanging("qsp-b")
    monkeypatch.setattr(FakeHosts, "cluster", lambda self, progress: fake_cluster(*nodes))
    monkeypatch.setattr(cli, "LIMITS", cli.Limits(0.2, 0.2))
    monkeypatch.setattr(cli.time, "sleep", _interrupt)
    watched = call("lab", "--watch")
    assert watched.exit_code == 0, watched.output
    lines = watched.stdout.splitlines()
    assert re.fullmatch(r"lab as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", lines[0])
    assert "runs on qsp-a" in lines[1]
    assert re.search(r"^qsp-a +192\.0\.2\.1 \(chrony\)", watched.stdout, re.MULTILINE)
    assert re.search(r"^qsp-b +it did not answer within 0\.2 s", watched.stdout, re.MULTILINE)


def test_a_site_that_cannot_be_used_is_one_of_the_sites_of_the_document_watched_or_not(
    call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "pair_of", _unusable)
    monkeypatch.setattr(cli.time, "sleep", _interrupt)
    for words in (("--json",), ("--json", "--watch")):
        told = call("lab", *words)
        assert told.exit_code == 5, told.output
        (site,) = json.loads(told.stdout)["sites"]
        assert (site["stack"], site["exit_code"]) == ("lab", 5)


def _unusable(stack: str):
    raise Refused(f"{stack} has no declaration that can be used")


def _interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_a_page_is_written_with_drift_and_watching_writes_it_again(call, monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    monkeypatch.setattr("operations.drift.scan", lambda subjects: _drift())
    assert call("lab", "--html", str(file)).exit_code == 0
    assert "no differences" in file.read_text()
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli.time, "sleep", sleep)
    watched = call("lab", "--watch", "--html", str(file))
    assert (watched.exit_code, len(rounds)) == (0, 2), "Ctrl-C is how watching ends"
    assert "http-equiv" in file.read_text()


def test_the_page_of_a_site_of_which_no_engine_can_tell_has_drift_and_the_last_drill(
    call, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtime.error = Unknown("no node can tell")
    monkeypatch.setattr("operations.drift.scan", lambda subjects: _drift())
    monkeypatch.setitem(read.__globals__, "last_drill", lambda root, stack: Drill(started="2026", verdict="red"))
    file = tmp_path / "page.html"
    assert call("lab", "--html", str(file)).exit_code == 4
    words = Page(file.read_text()).words
    for word in ("no node can tell", "no differences", "2026", "192.0.2.1"):
        assert word in words, word


async def _drift():
    from operations.drift import Report  # noqa: PLC0415

    return Report(started="2026-11-22T21:00:00+00:00", seconds=1, sites=[SiteReport(stack="lab")])
