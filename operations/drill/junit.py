"""A drill's report as JUnit's XML: a case per scenario, a failure with all findings for one that is red."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from operations.drill.model import DrillReport, ScenarioReport

if TYPE_CHECKING:
    from lxml.etree import _Element as Element  # pyright: ignore[reportPrivateUsage] it has no other name


def junit(report: DrillReport) -> str:
    """The document."""
    red = sum(each.verdict == "red" for each in report.scenarios)
    suite = etree.Element(
        "testsuite",
        name=f"squid-ha drill {report.site}",
        tests=str(len(report.scenarios) + len(report.left_out)),
        failures=str(red),
        errors="0",
        skipped=str(len(report.left_out)),
        timestamp=report.started,
    )
    for each in report.scenarios:
        _case(suite, report, each)
    for name, why in report.left_out.items():
        case = etree.SubElement(suite, "testcase", classname=f"drill.{report.site}", name=name, time="0")
        etree.SubElement(case, "skipped", message=why)
    return etree.tostring(suite, pretty_print=True, xml_declaration=True, encoding="UTF-8").decode()


def _case(suite: Element, report: DrillReport, each: ScenarioReport) -> None:
    seconds = f"{each.ended - each.started:.3f}"
    case = etree.SubElement(suite, "testcase", classname=f"drill.{report.site}", name=each.name, time=seconds)
    if each.findings:
        etree.SubElement(case, "failure", message=each.findings[0]).text = "\n".join(each.findings)
    out = (
        f"sent {each.sent}, answered {each.answered}, failed {each.failed}, lost {each.lost}, doubled {each.doubled}, "
        f"longest gap {each.longest_gap} s, recovery {each.recovery} s, active after {each.active_after}"
    )
    etree.SubElement(case, "system-out").text = out
