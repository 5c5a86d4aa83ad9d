"""A scan as a JUnit report: a suite per site, a case per thing and node.

Every reason is an element's text as well as its message, because GitLab shows the text alone.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from operations.drift.model import ORIGINS, Case, Outcome, Report, SiteReport
from operations.drift.show import CLUSTER, described
from operations.files import write_whole
from operations.xml_text import fit


def write(report: Report, path: Path) -> None:
    """Write the file whole or not at all."""
    write_whole(path, render(report))


def render(report: Report) -> bytes:
    """The document."""
    root = etree.Element("testsuites", name="squid-ha drift", time=f"{report.seconds:.3f}")
    for site in report.sites:
        root.append(_suite(site, report.started))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def _suite(site: SiteReport, started: str) -> etree._Element:  # pyright: ignore[reportPrivateUsage]
    cases = list(site.cases)
    if site.message or not cases:
        # A site that was not looked at must not look like one without fault.
        cases.append(Case(thing="site", kind="", node="", outcome=site.failed, message=site.message))
    suite = etree.Element("testsuite", name=fit(site.stack), timestamp=started, time=f"{site.seconds:.3f}")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.outcome == Outcome.DRIFT for case in cases)))
    suite.set("errors", str(sum(case.outcome in (Outcome.UNREACHABLE, Outcome.ERROR) for case in cases)))
    for case in cases:
        name, of = fit(f"{case.thing} on {case.node or CLUSTER}"), fit(f"{site.stack}.{case.thing}")
        made = etree.SubElement(suite, "testcase", classname=of, name=name)
        if case.outcome == Outcome.DRIFT:
            first, *_ = (said := [_line(case, number) for number in range(len(case.findings))])
            etree.SubElement(made, "failure", type="drift", message=fit(first)).text = fit("\n".join(said))
        elif case.outcome != Outcome.CLEAN:
            error = etree.SubElement(made, "error", type=case.outcome.value, message=fit(case.message))
            error.text = fit(case.told)
    return suite


def _line(case: Case, number: int) -> str:
    finding = case.findings[number]
    name, declared, live = described(finding)
    return f"{name}: declared {declared}, live {live} ({ORIGINS[finding.origin]})"
