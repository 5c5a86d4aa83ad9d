"""Overviews as one HTML page that needs nothing else: it works from a file share."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from operations.drift.model import ORIGINS, Finding
from operations.drift.show import CLUSTER, described, troubles
from operations.overview.model import Overview
from operations.overview.read import now

_SIGNS = {"in service": "●", "standby": "○", "failed": "✕", "degraded": "▲"}
_CLASSES = {"in service": "good", "standby": "rest", "failed": "bad", "degraded": "warn"}


def page(sites: Sequence[Overview], refresh: float | None = None) -> str:
    """The page; with ``refresh`` a browser reads it anew after so many seconds."""
    environment = Environment(
        loader=PackageLoader("operations.overview", "."),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = {"sign": _sign, "style": _style, "row": _row, "percent": _percent, "troubles": troubles}
    return environment.get_template("page.html.j2").render(sites=sites, made=now(), refresh=refresh, **helpers)


def _sign(state: str) -> str:
    return _SIGNS.get(state, "◐")


def _style(state: str) -> str:
    return _CLASSES.get(state, "warn")


def _row(finding: Finding) -> tuple[str, ...]:
    return (finding.node or CLUSTER, finding.thing, *described(finding), ORIGINS[finding.origin])


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
