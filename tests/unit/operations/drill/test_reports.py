"""What becomes of a report: a file, JUnit's XML, a chart, a page, a table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from lxml import etree
from rich.console import Console

from operations.drill import chart, junit, saved
from operations.drill.model import Bounds, DrillReport, Moment, Sample, ScenarioReport
from operations.drill.scenarios import scenarios
from operations.drill.show import listing, render
from operations.proof.gaps import gaps, longest
from operations.stacks import StackTrouble
from tests.unit.operations.drill.world import request

BEGIN = 1_795_000_000.0


def scenario(name: str = "squid-killed", **changes: object) -> ScenarioReport:
    requests = [
        request(number, BEGIN + number / 5, 0.02 + number % 7 / 100, None if 45 <= number < 60 else 200)
        for number in range(1, 101)
    ]
    gap = longest(gaps(requests))
    assert gap is not None
    values: dict[str, object] = {
        "name": name, "title": "Squid is killed", "verdict": "green", "started": BEGIN, "ended": BEGIN + 21,
        "bounds": Bounds(gap=120, lost=0, lost_seconds=0), "sent": 100, "answered": 85, "failed": 15,
        "errors": {"no connection": 15}, "longest_gap": gap.seconds, "gap": (gap.start, gap.end), "recovery": 3.0,
        "recorded": 85,
        "lost": 0, "lost_ids": [], "doubled": 0, "doubled_ids": [], "active_before": "qsp-a", "active_after": "qsp-b",
        "whole": True, "fenced": {}, "findings": [],
        "moments": [Moment(time=BEGIN + 9, text="Squid is killed on qsp-a"), Moment(time=BEGIN + 9.2, text="<b>&")],
        "samples": [
            Sample(time=BEGIN, active="qsp-a", whole=True), Sample(time=BEGIN + 9, active=None, whole=False),
            Sample(time=BEGIN + 12, active="qsp-b", whole=True),
        ],
        "requests": requests,
    }  # fmt: skip
    return ScenarioReport.model_validate(values | changes)


@pytest.fixture
def report() -> DrillReport:
    red = scenario(
        "node-off", verdict="red", findings=["lost: 1 request (d1-7) answered, without a record", "gap: <x>"]
    )
    return DrillReport(
        site="lab", started="2026-11-22T21:00:00+00:00", ended="2026-11-22T21:10:00+00:00", verdict="red",
        engine="pacemaker", phase=3, clients="from here, 5 requests a second", machine="a machine",
        scenarios=[scenario(), red], left_out={"clock-off": "no clock"},
    )  # fmt: skip


def test_it_is_kept_by_time_and_as_the_latest(report: DrillReport, tmp_path: Path) -> None:
    path = saved.save(report, tmp_path)
    assert path == tmp_path / ".state/drills/lab/2026-11-22T210000Z.json"
    document = json.loads((path.parent / "latest.json").read_text())
    assert document["verdict"] == "red"
    wanted = {"name", "verdict", "longest_gap", "sent", "answered", "failed", "lost", "doubled", "recovery",
              "active_after", "whole", "findings"}  # fmt: skip
    assert wanted <= set(document["scenarios"][0])
    assert DrillReport.model_validate_json(saved.latest("lab", tmp_path).read_bytes()) == report
    assert not saved.latest("paris", tmp_path).exists()
    assert not list(path.parent.glob("*.new"))


@pytest.mark.parametrize("name", ["2026-11-22T210000Z.json", "latest.json"])
def test_of_the_two_files_that_are_kept_one_that_fails_leaves_the_other(
    report: DrillReport, tmp_path: Path, name: str
) -> None:
    where = saved.folder("lab", tmp_path)
    (where / name).mkdir(parents=True)
    with pytest.raises(StackTrouble, match=f"{name} cannot be written: "):
        saved.save(report, tmp_path)
    (kept,) = [each for each in where.iterdir() if each.is_file()]
    assert json.loads(kept.read_text())["site"] == "lab"


def test_junit_has_a_case_per_scenario_and_the_findings(report: DrillReport) -> None:
    suite = etree.fromstring(junit.junit(report).encode())
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    failure = suite.find("testcase[@name='node-off']/failure")
    assert failure is not None
    assert failure.text == "lost: 1 request (d1-7) answered, without a record\ngap: <x>"


def test_what_xml_cannot_say_breaks_no_file(report: DrillReport, tmp_path: Path) -> None:
    said = "went wrong: `power off` ended with exit code 1: \x1b[31mno\x00\x1b[0m \ud800"
    red = scenario("node-off", verdict="red", findings=[said], moments=[Moment(time=BEGIN, text="\x1b[31m")])
    odd = report.model_copy(update={"scenarios": [red], "left_out": {"clock-off": "\x1b[31mno clock"}})
    files = [tmp_path / name for name in ("drill.xml", "drill.svg", "drill.html")]
    junit.write(odd, files[0])
    for each in files[1:]:
        chart.write(odd, each)
    assert [each for each in files if "\x1b" in each.read_text()] == []
    etree.fromstring(files[1].read_bytes())
    suite = etree.fromstring(files[0].read_bytes())
    failure = suite.find("testcase[@name='node-off']/failure")
    assert failure is not None
    assert failure.text == "went wrong: `power off` ended with exit code 1: \ufffd[31mno\ufffd\ufffd[0m \ufffd"


def test_junit_takes_whatever_stands_in_a_field(report: DrillReport) -> None:
    odd = "\x1b[31mx"
    texts = ("name", "title", "active_before", "active_after")
    red = scenario("node-off", verdict="red").model_copy(
        update={**dict.fromkeys(texts, odd), "findings": [odd], "notes": [odd]}
    )
    update = {**dict.fromkeys(("site", "started", "ended", "engine", "clients", "machine", "ended_by"), odd)}
    for done in ([red], []):
        every = report.model_copy(update={**update, "verdict": "red", "scenarios": done, "left_out": {odd: odd}})
        root = etree.fromstring(junit.junit(every).encode())
        assert root.get("name") == "squid-ha drill \ufffd[31mx"
        assert {case.get("classname") for case in root.iter("testcase")} == {"drill.\ufffd[31mx"}


def test_a_drill_that_was_cut_short_is_no_success_for_junit(report: DrillReport) -> None:
    why = "after squid-killed, the site is not ready: squid failed on qsp-b"
    cut = report.model_copy(update={"scenarios": report.scenarios[:1], "left_out": {"node-off": why}})
    suite = etree.fromstring(junit.junit(cut).encode())
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "0", "1", "1"]
    assert len(suite) == 3
    error = suite.find("testcase[@name='drill']/error")
    assert error is not None
    assert str(error.get("message")).startswith("the drill was cut short after 1 scenario, ")
    assert error.text == f"{error.get('message')}\nnode-off was left out: {why}"
    skipped = suite.find("testcase[@name='node-off']/skipped")
    assert skipped is not None
    assert (skipped.get("message"), skipped.text) == (why, why)
    nothing = etree.fromstring(junit.junit(cut.model_copy(update={"scenarios": []})).encode())
    assert nothing.get("errors") == "1"
    green = cut.model_copy(update={"verdict": "green", "left_out": {}})
    assert etree.fromstring(junit.junit(green).encode()).get("errors") == "0"


def test_the_chart_shows_every_request_and_moment_and_loads_nothing(report: DrillReport, tmp_path: Path) -> None:
    drawn = etree.fromstring(chart.svg(report).encode())
    space = {"s": "http://www.w3.org/2000/svg"}
    assert len(drawn.findall(".//s:circle", space)) == 2 * 85
    assert len(drawn.findall(".//s:path", space)) == 2 * 15
    assert "<b>&" in "".join(str(each) for each in drawn.itertext())
    assert "a machine" in [each.text for each in drawn.findall("s:text", space)]
    for name in ("drill.html", "drill.svg"):
        chart.write(report, tmp_path / name)
        text = (tmp_path / name).read_text()
        assert "gap: &lt;x&gt;" in text or name.endswith(".svg")
        assert not [word for word in ("<script", "href=", "src=", "url(", "@import") if word in text]


def test_a_chart_has_room_for_any_length_and_for_nothing() -> None:
    for seconds in (0.0, 0.4, 9, 70, 3000, 90000):
        assert 1 <= len(chart.ticks(seconds)) <= 30
        drawn = chart.panel(scenario(ended=BEGIN + seconds, requests=[], samples=[], gap=None, moments=[]), 0)
        assert drawn.dots == []
        assert len(drawn.bars) <= 1
    heights = [chart.height_of(latency) for latency in (0.0, 0.01, 0.1, 1.0, 9.0, 1e6)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == chart.TOP + chart.FAILED + chart.PLOT
    assert heights[-1] == chart.TOP + chart.FAILED


def test_what_was_not_judged_or_only_clients_measured_is_said_wherever_the_report_is_read(report: DrillReport) -> None:
    said = "whether qsp-a was fenced is not judged: the engine did not tell"
    off = scenario("node-off", fenced={"qsp-a": None}, notes=[said])
    killed = scenario(recovery=22.4, recovered_by="clients")
    noted = report.model_copy(update={"scenarios": [off, killed]})
    text = io.StringIO()
    Console(width=140, file=text).print(render(noted))
    for shown in (text.getvalue(), chart.html(noted)):
        assert f"node-off: {said}" in shown
        assert "22.4 s*" in shown
        assert "3.0 s*" not in shown
        assert "* until clients were answered again" in shown
    drawn = etree.fromstring(chart.svg(noted).encode())
    assert said in [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    plain = chart.panel(off.model_copy(update={"notes": []}), 0)
    assert chart.panel(off, 0).height == plain.height + chart.LINE
    suite = etree.fromstring(junit.junit(noted).encode())
    assert said in (suite.findtext("testcase[@name='node-off']/system-out") or "")
    assert "22.4 s (measured by the clients)" in (suite.findtext("testcase[@name='squid-killed']/system-out") or "")


def test_a_report_of_an_earlier_version_is_read_and_has_no_notes(report: DrillReport, tmp_path: Path) -> None:
    path = saved.save(report, tmp_path).parent / "latest.json"
    document = json.loads(path.read_text())
    for each in document["scenarios"]:
        del each["notes"], each["recovered_by"]
    path.write_text(json.dumps(document))
    read = DrillReport.model_validate_json(saved.latest("lab", tmp_path).read_bytes())
    text = io.StringIO()
    Console(width=140, file=text).print(render(read))
    assert "3.0 s" in text.getvalue()
    assert "*" not in text.getvalue()


def test_people_see_the_numbers_the_findings_and_the_verdict(report: DrillReport) -> None:
    text = io.StringIO()
    Console(width=140, file=text).print(render(report))
    assert "node-off: lost: 1 request (d1-7)" in text.getvalue()
    assert "red: 1 of 2 scenarios" in text.getvalue()
    assert "clock-off was left out: no clock" in text.getvalue()
    assert "\na machine\n" in text.getvalue()
    whole = report.model_copy(update={"scenarios": report.scenarios[:1]})
    Console(width=140, file=text).print(render(whole))
    assert "red: cut short after 1 scenario, which is green" in text.getvalue()
    text.truncate(0)
    Console(width=140, file=text).print(listing(scenarios(), {"clock-off": "no clock"}))
    assert "no clock" in text.getvalue()
