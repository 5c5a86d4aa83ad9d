"""A drill's report as JUnit's XML: a case per scenario, a failure with all findings for one that is red.

A drill that is red though none of its scenarios is has a case of its own, which is an error. Every reason is an
element's text as well as its message, because GitLab shows the text alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from operations.drill.model import DrillReport, ScenarioReport
from operations.files import write_whole
from operations.xml_text import fit

if TYPE_CHECKING:
    from lxml.etree import _Element as Element  # pyright: ignore[reportPrivateUsage] it has no other name


def write(report: DrillReport, path: Path) -> None:
    """Write the file whole or not at all, in a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, junit(report).encode())


def junit(report: DrillReport) -> str:
    """The document."""
    red = sum(each.verdict == "red" for each in report.scenarios)
    cut_short = report.verdict == "red" and not red
    suite = etree.Element(
        "testsuite",
        name=fit(f"squid-ha drill {report.site}"),
        tests=str(len(report.scenarios) + len(report.left_out) + cut_short),
        failures=str(red),
        errors=str(int(cut_short)),
        skipped=str(len(report.left_out)),
        timestamp=fit(report.started),
    )
    for each in report.scenarios:
        _case(suite, report, each)
    for name, why in report.left_out.items():
        case = _named(suite, report, name)
        etree.SubElement(case, "skipped", message=fit(why)).text = fit(why)
    if cut_short:
        _cut_short(suite, report)
    return etree.tostring(suite, pretty_print=True, xml_declaration=True, encoding="UTF-8").decode()


def _named(suite: Element, report: DrillReport, name: str, seconds: str = "0") -> Element:
    return etree.SubElement(suite, "testcase", classname=fit(f"drill.{report.site}"), name=fit(name), time=seconds)


def _case(suite: Element, report: DrillReport, each: ScenarioReport) -> None:
    seconds = f"{each.ended - each.started:.3f}"
    case = _named(suite, report, each.name, seconds)
    if each.findings:
        etree.SubElement(case, "failure", message=fit(each.findings[0])).text = fit("\n".join(each.findings))
    by = f" (measured by the {each.recovered_by})" if each.recovered_by == "clients" else ""
    out = (
        f"sent {each.sent}, answered {each.answered}, failed {each.failed}, lost {each.lost}, doubled {each.doubled}, "
        f"longest gap {each.longest_gap} s, recovery {each.recovery} s{by}, active after {each.active_after}"
    )
    etree.SubElement(case, "system-out").text = fit("\n".join([out, *each.notes]))


def _cut_short(suite: Element, report: DrillReport) -> None:
    count = len(report.scenarios)
    done = f"the drill was cut short after {count} scenario{'s' if count > 1 else ''}" if count else "nothing was done"
    case = _named(suite, report, "drill")
    ended_by = [report.ended_by] if report.ended_by else []
    message = f"{done}, so it proves nothing of what was left out"
    told = [message, *ended_by, *(f"{name} was left out: {why}" for name, why in report.left_out.items())]
    etree.SubElement(case, "error", message=message).text = fit("\n".join(told))
