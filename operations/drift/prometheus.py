"""A scan as a textfile for Prometheus' node exporter.

Facts: github.com/prometheus/node_exporter, "Textfile Collector" (files `*.prom`, to be renamed into place), and
prometheus.io, "Exposition formats": backslash, quote and line feed are escaped in labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from operations.drift.model import ORIGINS, Outcome, Report
from operations.files import write_whole


def write(report: Report, path: Path) -> None:
    """Write the file whole or not at all: it may be read at any moment."""
    write_whole(path, render(report).encode())


def render(report: Report) -> str:
    """One outcome is 1 per site; findings, silent nodes, seconds; and when it was.

    Every sample names its site, so that there may be a file for each: where two files have the same series, the
    exporter reports an error and keeps one of them.
    """
    lines = _family("outcome", "Outcome of the last scan for drift: 1 for the one that it was.")
    for site in report.sites:
        lines += [_sample("outcome", site.outcome == each, stack=site.stack, outcome=each.value) for each in Outcome]
    lines += _family("findings", "Properties that are not as declared.")
    for site in report.sites:
        origins = [finding.origin for finding in site.findings]
        lines += [_sample("findings", origins.count(each), stack=site.stack, origin=each) for each in ORIGINS]
    lines += _family(
        "nodes_unreachable",
        "Nodes that could not be reached: no connection, no answer at all, or a key that was refused.",
    )
    for site in report.sites:
        silent = {case.silent for case in site.cases if case.silent}
        lines.append(_sample("nodes_unreachable", len(silent), stack=site.stack))
    lines += _family("seconds", "How long looking took.")
    lines += [_sample("seconds", site.seconds, stack=site.stack) for site in report.sites]
    lines += _family("last_scan_timestamp_seconds", "When the last scan began.")
    began = datetime.fromisoformat(report.started).timestamp()
    lines += [_sample("last_scan_timestamp_seconds", began, stack=site.stack) for site in report.sites]
    return "\n".join(lines) + "\n"


def _family(name: str, means: str) -> list[str]:
    return [f"# HELP squid_ha_drift_{name} {means}", f"# TYPE squid_ha_drift_{name} gauge"]


def _sample(name: str, value: float, *, stack: str, **labels: str) -> str:
    return f"squid_ha_drift_{name}{_labels({'stack': stack, **labels}.items())} {value:.10g}"


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    given = [f'{name}="{_escaped(text)}"' for name, text in pairs]
    return f"{{{','.join(given)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
