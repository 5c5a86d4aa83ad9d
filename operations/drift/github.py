"""A scan for GitHub Actions: annotations on standard output, and a page in the step's summary.

Facts: docs.github.com, "Workflow commands for GitHub Actions": `::warning file=...,title=...::message`, in which `%`,
carriage returns and line feeds are escaped, in properties also `:` and `,`; the summary is Markdown that is appended to
the file that $GITHUB_STEP_SUMMARY names. Of a step it keeps `KEPT` annotations of each level, and drops others unsaid.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from operations.drift.model import ORIGINS, Finding, Outcome, Report, SiteReport
from operations.drift.show import CLUSTER, described, summary
from operations.stacks import StackTrouble

SUMMARY = "GITHUB_STEP_SUMMARY"
KEPT = 10


@dataclass(frozen=True)
class _Annotation:
    level: str
    file: str
    title: str
    message: str

    @property
    def line(self) -> str:
        return f"::{self.level} file={_property(self.file)},title={_property(self.title)}::{_data(self.message)}"


def marks(report: Report) -> Iterator[str]:
    """A line per finding, and one per node or site that could not be looked at.

    Where GitHub would drop some of a level, its last line says how many are left out.
    """
    found = list(_annotations(report))
    total = Counter(each.level for each in found)
    said = Counter[str]()
    for each in found:
        said[each.level] += 1
        if said[each.level] < KEPT or total[each.level] == KEPT:
            yield each.line
        elif said[each.level] == KEPT:
            yield _rest(each, total[each.level] - KEPT + 1).line


def _rest(first: _Annotation, count: int) -> _Annotation:
    """What stands for an annotation and all after it of its level."""
    message = f"{count} more are left out here: the step's summary has all."
    return replace(first, title=f"and {count} more", message=message)


def _annotations(report: Report) -> Iterator[_Annotation]:
    for site in report.sites:
        file = f"stacks/Pulumi.{site.stack}.yaml"
        for finding in site.findings:
            where = f"{site.stack}: {finding.thing} on {finding.node or CLUSTER}"
            yield _Annotation("warning", file, where, _sentence(finding))
        for node, message in _silent(site):
            yield _Annotation("error", file, f"{site.stack}: {node}" if node else site.stack, message)


def page(report: Report) -> str:
    """The summary, in Markdown."""
    lines = ["## Drift", "", summary(report), "", "| site | outcome | findings |", "| --- | --- | --- |"]
    lines += [f"| {_cell(site.stack)} | {site.outcome} | {len(site.findings)} |" for site in report.sites]
    for site in report.sites:
        if site.outcome != Outcome.CLEAN:
            lines += ["", f"### {_cell(site.stack)}"]
        if silent := _silent(site):
            lines += ["", *(f"- {_cell(f'{node}: {message}' if node else message)}" for node, message in silent)]
        if site.findings:
            lines += [
                "",
                "| node | thing | property | declared | live | why |",
                "| --- | --- | --- | --- | --- | --- |",
            ]
            lines += [_row(finding) for finding in site.findings]
    return "\n".join(lines) + "\n"


def append_page(report: Report) -> bool:
    """Append the page to the step's summary; False outside GitHub Actions, without one. Raises `StackTrouble`."""
    path = os.environ.get(SUMMARY)
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(page(report))
    except OSError as error:
        raise StackTrouble(f"{path}, which ${SUMMARY} names, cannot be written: {error.strerror}.") from error
    return True


def _silent(site: SiteReport) -> list[tuple[str, str]]:
    """Node, empty for the site or the cluster as a whole, and why it could not be looked at, with what to do about it.

    Each reason once.
    """
    found = {(case.node, case.told) for case in site.cases if case.message}
    repeated = {("", f"{node}: {told}") for node, told in found}
    return [*([("", site.message)] if site.message else []), *sorted(found - repeated)]


def _sentence(finding: Finding) -> str:
    name, declared, live = described(finding)
    return f"{name}: declared {declared}, live {live} ({ORIGINS[finding.origin]})"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(finding: Finding) -> str:
    name, declared, live = described(finding)
    cells = (finding.node or CLUSTER, finding.thing, name, declared, live, ORIGINS[finding.origin])
    return f"| {' | '.join(_cell(text) for text in cells)} |"


def _cell(text: str) -> str:
    """Text that is only text in Markdown, in one line."""
    escaped = "".join(f"\\{each}" if each in r"\`*_{}[]<>|#!~" else each for each in text)
    return " ".join(escaped.split())
