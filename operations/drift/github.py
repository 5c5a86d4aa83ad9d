"""A scan for GitHub Actions: annotations on standard output, and a page in the step's summary.

Facts: docs.github.com, "Workflow commands for GitHub Actions": `::warning file=...,title=...::message`, in which `%`,
carriage returns and line feeds are escaped, in properties also `:` and `,`; the summary is Markdown that is appended to
the file that $GITHUB_STEP_SUMMARY names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from operations.drift.model import ORIGINS, Finding, Outcome, Report, SiteReport
from operations.drift.show import CLUSTER, described, summary
from operations.stacks import StackTrouble

SUMMARY = "GITHUB_STEP_SUMMARY"


def marks(report: Report) -> Iterator[str]:
    """A line per finding, and one per node or site that could not be looked at."""
    for site in report.sites:
        file = f"stacks/Pulumi.{site.stack}.yaml"
        for finding in site.findings:
            where = f"{site.stack}: {finding.thing} on {finding.node or CLUSTER}"
            yield _command("warning", file, where, _sentence(finding))
        for node, message in _silent(site):
            yield _command("error", file, f"{site.stack}: {node}" if node else site.stack, message)


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


def _command(level: str, file: str, title: str, message: str) -> str:
    return f"::{level} file={_property(file)},title={_property(title)}::{_data(message)}"


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
