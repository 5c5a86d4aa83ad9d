"""The standby's clock is off.

Given clients that ask all the time, when the standby's clock is half a minute ahead and nobody corrects it, then the
look at the clocks names that node, the service goes on, and the clock is right again once its time service runs.
"""

from __future__ import annotations

from blueprint.platforms import PLATFORMS
from operations.drill.disturbances import clock_off
from operations.drill.steps import Disturb, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = False
AHEAD = 30
"""Seconds."""


def lacks(view: View) -> str:
    """The site has to declare a time service that this program configures: that is what corrects the clock again."""
    declared = view.site.time
    if declared is None or declared.service not in PLATFORMS[view.site.platform].time_services:
        return "the site declares no time service of its own, so it promises nothing about clocks"
    return ""


def sender(view: View) -> str:
    """Requests bear the time of the node that they come from, and the standby's will be wrong."""
    return view.active


def steps(view: View) -> Steps:
    """Off, named, right again."""
    off, stays = view.standby, view.active
    assert view.site.time is not None  # noqa: S101 `lacks` has looked
    unit = PLATFORMS[view.site.platform].time_services[view.site.time.service].unit
    yield Stays(stays)
    yield Disturb(clock_off(unit, off, AHEAD, view.lasts))
    named = f"the look at the clocks names {off}"
    yield WaitFor(named, lambda seen: off in (seen.wrong_clocks or ()), view.patience, clocks=True)
    yield Served(limit=view.patience)
    yield Undo()
    yield WaitFor("both clocks are right", lambda seen: seen.wrong_clocks == frozenset(), view.patience, clocks=True)
