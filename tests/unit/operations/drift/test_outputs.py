"""A scan as text, JUnit, annotations, Markdown and metrics."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from rich.console import Console

from operations.drift import Case, Finding, Outcome, Report, SiteReport, github, junit, prometheus, show
from operations.stacks import StackTrouble

CHANGED = Finding(
    thing="squid-config", node="qsp-b", property='nodes.qsp-b.files["/etc/squid/squid.conf"].content',
    declared="http_port 3128\nvia on\n", live="http_port 3128\nvia off\n", origin="host",
)  # fmt: skip
GONE = Finding(thing="names", node="", property="", declared="there", origin="edited")


def report(*sites: SiteReport) -> Report:
    return Report(started="2026-11-22T21:00:00+00:00", seconds=1.5, sites=sites)


CLEAN = SiteReport(stack="oslo", cases=[Case(thing="time", kind="host.time", node="qsp-a", outcome=Outcome.CLEAN)])
DRIFT = SiteReport(
    stack="lyon",
    cases=[
        Case(thing="squid-config", kind="squid.config", node="qsp-a", outcome=Outcome.CLEAN),
        Case(thing="squid-config", kind="squid.config", node="qsp-b", outcome=Outcome.DRIFT, findings=[CHANGED]),
        Case(thing="names", kind="host.names", node="", outcome=Outcome.DRIFT, findings=[GONE]),
    ],
    notices=["the service runs on qsp-a"],
    seconds=1.25,
)
SILENT = SiteReport(
    stack="rome",
    cases=[
        Case(
            thing="time",
            kind="host.time",
            node="qsp-b",
            outcome=Outcome.UNREACHABLE,
            message="no SSH connection",
            silent="qsp-b",
        ),
        Case(thing="mirror", kind="lifekeeper.mirror", node="qsp-a", outcome=Outcome.UNREACHABLE, message="not now"),
        Case(thing="time", kind="host.time", node="qsp-a", outcome=Outcome.CLEAN),
    ],
)
WRONG = SiteReport(stack="bonn", failed=Outcome.ERROR, message="stacks/Pulumi.bonn.yaml: 1 mistake")
EVERY = report(CLEAN, DRIFT, SILENT, WRONG)


def test_people_read_site_node_thing_property_declared_live_and_why() -> None:
    text = io.StringIO()
    Console(width=200, file=text).print(show.render(EVERY))
    said = text.getvalue()
    row = next(line for line in said.splitlines() if "squid-config" in line)
    assert re.split(r"\s{2,}", row.strip()) == [
        "qsp-b", "squid-config", 'files["/etc/squid/squid.conf"].content line 2',
        r'"via on\n"', r'"via off\n"', "changed on the host",
    ]  # fmt: skip
    assert "qsp-b: nothing could be looked at: no SSH connection" in said
    assert "notice: the service runs on qsp-a" in said
    assert said.splitlines()[-1] == "4 sites in 1.5 s: 1 clean, 1 drift, 1 unreachable, 1 error"


def test_junit_has_a_case_per_thing_and_node_and_what_was_not_looked_at_is_no_success() -> None:
    root = etree.fromstring(junit.render(EVERY))
    counts = {suite.get("name"): [suite.get(name) for name in ("tests", "failures", "errors")] for suite in root}
    assert counts == {
        "oslo": ["1", "0", "0"], "lyon": ["3", "2", "0"], "rome": ["3", "0", "2"], "bonn": ["1", "0", "1"],
    }  # fmt: skip
    failed = root.find("testsuite[@name='lyon']/testcase[@name='squid-config on qsp-b']/failure")
    assert failed is not None
    assert r'declared "via on\n", live "via off\n" (changed on the host)' in str(failed.text)


def test_junit_takes_whatever_a_node_calls_its_things() -> None:
    odd = "\x1b[31mx"
    finding = Finding(thing=odd, node=odd, property=odd, declared=odd, live=odd, origin="host", note=odd)
    cases = [
        Case(thing=odd, kind=odd, node=odd, outcome=Outcome.DRIFT, findings=[finding]),
        Case(thing=odd, kind=odd, node=odd, outcome=Outcome.ERROR, message=odd, remedy=odd),
    ]
    root = etree.fromstring(junit.render(report(SiteReport(stack="lyon", cases=cases, message=odd))))
    names = {each.get("name") for each in root.iter("testcase")}
    assert names == {"\ufffd[31mx on \ufffd[31mx", "site on both"}


def test_junit_says_each_reason_as_text_too() -> None:
    """GitLab shows nothing else."""
    reasons = [(error.get("message"), error.text) for error in etree.fromstring(junit.render(EVERY)).iter("error")]
    assert reasons == [(why, why) for why in ("no SSH connection", "not now", "stacks/Pulumi.bonn.yaml: 1 mistake")]


def test_what_to_do_is_said_wherever_the_reason_is() -> None:
    """As the commands for a host key that is not the one that was accepted before."""
    case = Case(thing="time", kind="host.time", node="qsp-b", outcome=Outcome.UNREACHABLE,
                message="the SSH host key is not the one", remedy="if it is: `ssh-keygen -R 192.0.2.12`")  # fmt: skip
    of_both = case.model_copy(update={"thing": "options", "node": "", "message": f"qsp-b: {case.message}"})
    made, text = report(SiteReport(stack="rome", cases=[case, of_both])), io.StringIO()
    Console(width=200, file=text).print(show.render(made))
    assert [line.strip() for line in text.getvalue().splitlines()].count("→ if it is: `ssh-keygen -R 192.0.2.12`") == 2
    document = json.loads(made.model_dump_json())
    assert {each["remedy"] for each in document["sites"][0]["cases"]} == {case.remedy}
    (error, _) = etree.fromstring(junit.render(made)).iter("error")
    assert (error.get("message"), error.text) == (case.message, f"{case.message}\n  → {case.remedy}")
    assert [line for line in github.marks(made) if "%0A  → if it is: `ssh-keygen" in line] == list(github.marks(made))
    (line,) = [line for line in github.page(made).splitlines() if "ssh-keygen -R 192.0.2.12" in line]
    assert line.startswith("- qsp-b: the SSH host key is not the one → if it is:")


def test_a_site_without_any_case_is_no_success_either() -> None:
    (suite,) = etree.fromstring(junit.render(report(SiteReport(stack="x", failed=Outcome.ERROR))))
    assert suite.get("errors") == "1"


def test_annotations_name_file_thing_and_node() -> None:
    lines = list(github.marks(EVERY))
    assert lines[0].startswith("::warning file=stacks/Pulumi.lyon.yaml,title=lyon%3A squid-config on qsp-b::files[")
    assert "::error file=stacks/Pulumi.rome.yaml,title=rome%3A qsp-b::no SSH connection" in lines
    assert "::error file=stacks/Pulumi.bonn.yaml,title=bonn::stacks/Pulumi.bonn.yaml: 1 mistake" in lines


def crowd(findings: int, silent: int) -> Report:
    """A report of two sites with so many findings and silent nodes each."""
    return report(
        *(
            SiteReport(
                stack=stack,
                cases=[
                    Case(thing="t", kind="k", node="n", outcome=Outcome.DRIFT, findings=[CHANGED] * findings),
                    *(
                        Case(thing="t", kind="k", node=f"n{each}", outcome=Outcome.UNREACHABLE, message=f"no {each}")
                        for each in range(silent)
                    ),
                ],
            )
            for stack in ("lyon", "oslo")
        )
    )


@pytest.mark.parametrize(("each", "printed", "left_out"), [(0, 0, 0), (4, 8, 0), (5, 10, 0), (6, 10, 3), (40, 10, 71)])
def test_github_drops_no_annotation_unsaid(each: int, printed: int, left_out: int) -> None:
    made = crowd(each, each)
    lines = list(github.marks(made))
    for level in ("warning", "error"):
        told = [line for line in lines if line.startswith(f"::{level} ")]
        assert len(told) == printed
        said = [line for line in told if "more are left out" in line]
        assert said == ([told[-1]] if left_out else [])
        assert all(f"title=and {left_out} more::{left_out} more are left out " in line for line in said)
    page = github.page(made)
    assert page.count("| squid-config |") == 2 * each, "the page has all"
    assert len(re.findall(r"^- n\d+: no \d+$", page, re.MULTILINE)) == 2 * each


def test_what_is_left_out_of_one_level_keeps_the_other_whole() -> None:
    lines = list(github.marks(crowd(30, 2)))
    assert [line for line in lines if "more are left out" in line] == [lines[9]]
    assert len([line for line in lines if line.startswith("::error ")]) == 4


@given(st.text())
def test_no_text_of_a_host_can_add_an_annotation_a_row_or_break_the_files(text: str) -> None:
    finding = CHANGED.model_copy(update={"live": text, "property": text or "x", "note": text})
    case = Case(thing="t", kind="k", node="n", outcome=Outcome.DRIFT, findings=[finding])
    odd = report(SiteReport(stack="s", cases=[case], notices=[text], message=text))
    assert all("\n" not in line and "\r" not in line for line in github.marks(odd))
    assert all(line.startswith("::") for line in github.marks(odd))
    rows = [line for line in github.page(odd).split("\n") if line.startswith("| qsp-b |")]
    assert len(rows) == 1
    etree.fromstring(junit.render(odd))
    Console(width=200, file=io.StringIO()).print(show.render(odd))


def test_the_step_summary_is_appended_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(github.SUMMARY, raising=False)
    assert not github.append_page(EVERY)
    file = tmp_path / "summary"
    file.write_text("before\n")
    monkeypatch.setenv(github.SUMMARY, str(file))
    assert github.append_page(EVERY)
    assert file.read_text().startswith("before\n## Drift\n")
    assert "| lyon | drift | 2 |" in file.read_text()
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "none" / "summary"))
    with pytest.raises(StackTrouble, match=r"none/summary, which \$GITHUB_STEP_SUMMARY names, cannot be written"):
        github.append_page(EVERY)


def test_metrics_say_one_outcome_per_site() -> None:
    said = prometheus.render(EVERY)
    ones = re.findall(r'squid_ha_drift_outcome\{stack="(\w+)",outcome="(\w+)"\} 1', said)
    assert ones == [("oslo", "clean"), ("lyon", "drift"), ("rome", "unreachable"), ("bonn", "error")]
    assert 'squid_ha_drift_findings{stack="lyon",origin="host"} 1' in said
    assert 'squid_ha_drift_nodes_unreachable{stack="rome"} 1' in said, "qsp-a answers, and only cannot tell now"
    assert 'squid_ha_drift_last_scan_timestamp_seconds{stack="rome"} 1795381200' in said


def test_scans_of_different_sites_have_no_series_in_common() -> None:
    def series(*sites: SiteReport) -> list[str]:
        lines = prometheus.render(report(*sites)).splitlines()
        return [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]

    each = [set(series(site)) for site in (CLEAN, DRIFT, SILENT, WRONG)]
    together = series(CLEAN, DRIFT, SILENT, WRONG)
    assert len(together) == len(set(together)) == sum(map(len, each)), "a series is there twice"
    assert len({len(site) for site in each}) == 1


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "drift.prom"
    file.write_text("old")
    with file.open() as reader:
        prometheus.write(EVERY, file)
        assert reader.read() == "old", "the file was written in place"
    assert file.read_text() == prometheus.render(EVERY)
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(StackTrouble, match="cannot be written"):
        junit.write(EVERY, tmp_path / "missing" / "x.xml")
