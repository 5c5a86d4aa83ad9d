"""`squid-ha drill` as it is called, and how it is interrupted."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from declaration.site import Site
from operations import site as sites
from operations.cli import drill as cli
from operations.cli._exit import FAILED, REFUSED, code_of
from operations.drill import interruptible, saved
from operations.drill import site as drilling
from operations.drill.interruptible import Interrupted, run_in_order
from operations.drill.model import DrillReport, ScenarioReport
from operations.drill.options import Options
from operations.trouble import Misused, StackTrouble
from providers.connection.errors import Locked, NotVerified, Refused
from providers.connection.loop import the_loop
from tests.support.terminal import alone
from tests.unit.operations.drill.test_reports import scenario


class FakeHosts:
    def __init__(self, site: object) -> None:
        self.site = site

    def cluster(self, progress: object) -> str:
        return "cluster"


def report_of(*found: ScenarioReport, stack: str = "lab") -> DrillReport:
    green = found and all(each.verdict == "green" for each in found)
    return DrillReport(
        site=stack, started="2026-11-22T21:00:00+00:00", ended="2026-11-22T21:10:00+00:00",
        verdict="green" if green else "red", engine="pacemaker", phase=3, clients="from here", machine="m",
        scenarios=found, left_out={},
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, site: object, tmp_path: Path) -> list[Options]:
    """The options of each drill; one that is asked for `squid-hung` is red."""
    made: list[Options] = []

    async def drill(cluster: object, declared: object, stack: str, options: Options, cut_short: object) -> DrillReport:
        made.append(options)
        red = "squid-hung" in options.names
        found = scenario(verdict="red" if red else "green", findings=["gap: too long"] if red else [])
        return report_of(found, stack=stack)

    monkeypatch.setattr(sites, "hosts_of", lambda stack: FakeHosts(site))
    monkeypatch.setattr(drilling, "drill", drill)
    monkeypatch.setattr(saved, "project_root", lambda: tmp_path)
    return made


def run(*arguments: str):
    return alone(cli.command, arguments)


def test_exit_codes_json_and_files(asked: list[Options], tmp_path: Path) -> None:
    page, xml = tmp_path / "drill.html", tmp_path / "drill.xml"
    green = run("lab", "--json", "--junit", str(xml), "--chart", str(page))
    assert green.exit_code == 0, green.output
    assert json.loads(green.stdout)["verdict"] == "green"
    assert "<svg" in page.read_text()
    assert "<testsuite" in xml.read_text()
    assert (tmp_path / ".state/drills/lab/latest.json").exists()
    red = run("lab", "--scenario", "squid-hung", "--i-know")
    assert red.exit_code == 3
    assert "gap: too long" in red.stdout
    assert asked[-1].knows
    assert asked[-1].names == ["squid-hung"]


def test_files_may_be_in_folders_that_are_still_to_be_made(asked: list[Options], tmp_path: Path) -> None:
    page, xml = tmp_path / "a/b/drill.svg", tmp_path / "c/d/drill.xml"
    ended = run("lab", "--junit", str(xml), "--chart", str(page))
    assert ended.exit_code == 0, ended.output
    assert "<testsuite" in xml.read_text()
    assert "<svg" in page.read_text()


@pytest.mark.parametrize("option", ["--junit", "--chart"])
def test_a_file_that_cannot_be_written_is_a_sentence_and_hides_no_report(
    asked: list[Options], tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    for where, why in ((tmp_path / "file/x", "exists"), (tmp_path, "directory")):
        ended = run("lab", option, str(where), "--json")
        assert isinstance(ended.exception, StackTrouble), ended.exception
        assert "cannot be written: " in str(ended.exception)
        assert why in str(ended.exception)
        assert json.loads(ended.stdout)["verdict"] == "green"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == [".state"]


def test_a_file_that_cannot_be_written_keeps_no_other_from_being_written(asked: list[Options], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked, page = tmp_path / "file/drill.xml", tmp_path / "drill.html"
    ended = run("lab", "--junit", str(blocked), "--chart", str(page))
    assert isinstance(ended.exception, StackTrouble)
    assert code_of(ended.exception) == FAILED
    assert "<svg" in page.read_text()
    (tmp_path / ".state/drills/lab/latest.json").unlink()
    (tmp_path / ".state/drills/lab/latest.json").mkdir()
    page.unlink()
    ended = run("lab", "--junit", str(blocked), "--chart", str(page), "--scenario", "squid-hung", "--i-know")
    said = str(ended.exception).splitlines()
    assert [each.partition(" cannot be written")[0] for each in said] == [
        str(tmp_path / ".state/drills/lab/latest.json"), str(tmp_path / "file"),
    ]  # fmt: skip
    assert "<svg" in page.read_text()
    assert "gap: too long" in ended.stdout


def test_calls_that_make_no_sense_are_refused(asked: list[Options]) -> None:
    urls = [("lab", "--url", url) for url in ("https://x/", "http://[::1")]
    for arguments in (("lab", "--power", "x", "--plug", "lab.plug:plug"), *urls):
        assert isinstance(run(*arguments).exception, Misused)
    assert not asked


def test_the_list_touches_no_host(asked: list[Options]) -> None:
    listed = json.loads(run("lab", "--list", "--json").stdout)
    assert {each["name"] for each in listed if each["lacks"]} == {"peers-disk-frozen"}
    assert not asked


def test_the_list_with_a_plug_is_of_that_plugs_own_site(
    asked: list[Options], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUID_HA_LAB_RUN", "/lab/run")
    assert "planned-move" in run("lab", "--list", "--plug", "lab.plug:plug").stdout
    other = FakeHosts(site.model_copy(update={"ssh": site.ssh.model_copy(update={"known_hosts": None})}))
    monkeypatch.setattr(sites, "hosts_of", lambda stack: other)
    ended = run("lab", "--list", "--plug", "lab.plug:plug")
    assert isinstance(ended.exception, Refused)
    assert str(ended.exception).startswith("--plug has hold of other hosts than this site's: ")
    assert "planned-move" in run("lab", "--list").stdout


def test_the_list_refuses_what_the_drill_refuses(
    asked: list[Options], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = FakeHosts(site.model_copy(update={"virtual_ip": None}))
    monkeypatch.setattr(sites, "hosts_of", lambda stack: single)
    ended = run("lab", "--list").exception
    assert isinstance(ended, Refused)
    assert "single node" in str(ended)
    assert code_of(ended) == REFUSED


def ends(monkeypatch: pytest.MonkeyPatch, found: DrillReport | None, by: Exception | None = None) -> None:
    """Drills are interrupted, or end by an error; ``found`` is what they have until then."""

    async def drill(*seams: Any) -> DrillReport:
        main = threading.main_thread().ident
        assert main is not None
        try:
            if by is not None:
                raise by
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.sleep(30)
        finally:
            if found is not None:
                seams[-1](found)
        raise AssertionError

    monkeypatch.setattr(drilling, "drill", drill)


LEFT_OUT = {"left_out": {"squid-hung": "the drill was ended before this was over"}}


@pytest.mark.usefixtures("interruptible", "asked")
def test_an_interrupted_drill_prints_and_keeps_the_report_of_the_scenarios_that_had_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    xml, page = tmp_path / "drill.xml", tmp_path / "drill.html"
    ends(monkeypatch, report_of(scenario()).model_copy(update={"verdict": "red", **LEFT_OUT}))
    ended = run("lab", "--json", "--junit", str(xml), "--chart", str(page))
    assert ended.exit_code == 130
    document = json.loads(ended.stdout)
    why = "the drill was interrupted; what it had broken is undone"
    assert ([each["name"] for each in document["scenarios"]], document["ended_by"]) == (["squid-killed"], why)
    assert (document["verdict"], list(document["left_out"])) == ("red", ["squid-hung"])
    assert json.loads((tmp_path / ".state/drills/lab/latest.json").read_text()) == document
    assert why in xml.read_text()
    assert why in page.read_text()
    for_people = run("lab")
    assert (for_people.exit_code, for_people.stderr.count(why)) == (130, 1)
    assert f"ended early: {why}" in for_people.stdout


@pytest.mark.usefixtures("interruptible", "asked")
def test_a_drill_that_is_interrupted_in_its_first_scenario_prints_a_document_and_keeps_the_last_drills(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends(monkeypatch, report_of())
    ended = run("lab", "--json")
    assert ended.exit_code == 130
    assert (json.loads(ended.stdout)["scenarios"], list(tmp_path.iterdir())) == ([], [])
    assert run("lab").stdout == ""


@pytest.mark.usefixtures("interruptible", "asked")
def test_a_drill_that_is_interrupted_before_it_has_looked_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, None)
    ended = run("lab", "--json")
    assert (ended.exit_code, ended.stdout) == (130, "")


@pytest.mark.usefixtures("asked")
def test_an_error_after_a_scenario_costs_no_report_and_one_before_prints_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends(monkeypatch, report_of(scenario()), Locked("another run", remedy="wait for it"))
    ended = run("lab", "--json")
    assert isinstance(ended.exception, Locked)
    assert json.loads(ended.stdout)["ended_by"] == "another run → wait for it"
    assert (tmp_path / ".state/drills/lab/latest.json").exists()
    ends(monkeypatch, report_of(), Locked("another run"))
    assert run("lab", "--json").stdout == ""
    ends(monkeypatch, report_of(scenario()), KeyError("x"))
    assert "KeyError" in json.loads(run("lab", "--json").stdout)["ended_by"]


@pytest.mark.usefixtures("interruptible", "asked")
def test_a_report_that_cannot_be_written_does_not_hide_how_the_drill_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    ends(monkeypatch, report_of(scenario()))
    ended = run("lab", "--json", "--junit", str(tmp_path / "file/drill.xml"))
    assert ended.exit_code == 130
    assert "what was found until then could not be written everywhere: " in ended.stderr
    assert json.loads(ended.stdout)["scenarios"]


@pytest.mark.thorough
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_waits_until_all_is_undone() -> None:
    undone: list[str] = []
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.2)
            undone.append("all")

    for number in (signal.SIGINT, signal.SIGTERM):
        undone.clear()
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.3, signal.pthread_kill, (main, number)).start()
        begun = time.monotonic()
        with pytest.raises(Interrupted, match=r"; what it had broken is undone$"):
            run_in_order(work(), told.append)
        assert undone == ["all"]
        assert time.monotonic() - begun < 10
    assert "undoing" in told[0]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_names_what_could_not_be_undone() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise NotVerified("the rule is still there") from None

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(Interrupted, match="not all is as before: the rule is still there"):
        run_in_order(work(), print)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StackTrouble("x.xml cannot be written."), "what it had broken is undone; it ended by: x.xml cannot"),
        (Locked("another run"), "what it had broken is undone; it ended by: another run"),
        (KeyError("x"), "by a fault of this program, so perhaps not all is undone: KeyError: 'x'"),
    ],
)
def test_ctrl_c_takes_no_other_error_for_what_could_not_be_undone(error: Exception, said: str) -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise error from None

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(Interrupted) as ended:
        run_in_order(work(), print)
    assert said in str(ended.value)


@pytest.mark.usefixtures("interruptible")
def test_a_drill_that_is_interrupted_before_its_first_step_never_begins() -> None:
    """It would break things, and go on to its end, while whoever pressed Ctrl-C waits for them to be undone."""
    busy, free, begun = threading.Event(), threading.Event(), list[str]()

    def hold_up() -> None:
        busy.set()
        free.wait(10)

    async def work() -> None:
        begun.append("begun")
        await asyncio.sleep(2)

    def interrupt() -> None:
        busy.wait(10)
        time.sleep(0.3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.3)
        free.set()

    the_loop().call_soon_threadsafe(hold_up)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Interrupted, match="what it had broken is undone"):
        run_in_order(work(), lambda _: None)
    assert begun == []


def test_what_is_not_interrupted_has_its_result() -> None:
    async def work() -> int:
        return 7

    assert run_in_order(work(), print) == 7
    assert interruptible.Interrupted.__doc__


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ""),
        (("--power", "true"), "a process on this machine switches on what `--power` has switched off"),
        (("--plug", "lab.plug:plug"), "but not what the plug has taken"),
    ],
)
def test_who_undoes_what_no_node_can_is_told_before_anything_begins_and_at_an_interrupt(
    asked: list[Options], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    otherwise: list[str] = []

    def run_it(work: Any, tell: Any, without_it: str) -> None:
        otherwise.append(without_it)
        run_in_order(work, tell)

    monkeypatch.setattr(interruptible, "run_in_order", run_it)
    done = run("lab", *words)
    assert done.exit_code == 0, done.output
    told = " ".join(done.stderr.split())
    assert ("should the drill be killed" in told) is bool(said)
    assert said in told
    assert said in otherwise[0]
    assert otherwise[0].startswith("the nodes undo it by themselves")
