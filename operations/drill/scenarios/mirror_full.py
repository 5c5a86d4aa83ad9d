"""The mirror is full.

Given clients that ask all the time, when the mirror has no room left, then what is declared comes of it: with `on_full:
drop` clients are served on and records are missing only for that time; with `on_full: stop` clients are not served, and
an answer that was on its way stands in the local log. When there is room again, the service is whole again.
"""

from __future__ import annotations

from declaration.site import Site
from operations.drill.disturbances import mirror_full
from operations.drill.steps import Disturb, Mark, Served, Steps, Undo, Unserved, View

PLANNED = False


def lacks(view: View) -> str:
    """There has to be a mirror with the log on it."""
    if view.site.mirror is None:
        return "the site has no mirror"
    return "" if view.site.log.on_mirror else "the access log is not on the mirror"


def may_lose(site: Site) -> float:
    """Where records may be dropped, all of that time."""
    return float("inf") if site.log.on_full == "drop" else 0.0


def local_suffices(site: Site) -> bool:
    """Squid answers, writes the local record, and only then ends at the one that it cannot write (docs/logs.md)."""
    return site.log.on_full == "stop"


def steps(view: View) -> Steps:
    """Full, what is declared, room again, served again."""
    yield Disturb(mirror_full(view.site, view.active, (view.active, view.standby), view.lasts))
    if view.site.log.on_full == "drop":
        yield Served(times=30, limit=view.patience)
        yield Mark("clients are served without records, as declared")
    else:
        # An engine may start it again and again meanwhile: what counts is what clients get.
        yield Unserved(limit=view.patience)
        yield Mark("clients are not served, as declared")
    yield Undo()
