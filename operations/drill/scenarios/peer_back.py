"""The active node is put aside and comes back.

Given clients that ask all the time, when the active node is put aside, as for an upgrade, and comes back while records
were written without it, then its half of the mirror is brought up to date, and the service stays where it went.
"""

from __future__ import annotations

from operations.drill.disturbances import Aside
from operations.drill.steps import Disturb, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = True
MOVING = 600.0
"""Seconds for the engine to put the node aside, within which the nodes do not bring it back yet."""


def lacks(_view: View) -> str:
    """Nothing: every engine can put a node aside."""
    return ""


def steps(view: View) -> Steps:
    """Aside, absent for a while, back."""
    away, other = view.active, view.standby
    # Longer than both waits: what brings it back has to be the drill, after clients were served without it.
    yield Disturb(Aside(f"{away} is put aside", away, MOVING + 2 * view.patience))
    yield WaitFor(f"all of the service runs on {other}", lambda seen: seen.runs_on(other), view.patience)
    yield Stays(other)
    yield Served(times=30, limit=view.patience)
    yield Undo()
    yield WaitFor(f"{away} is back, and has every record", lambda seen: seen.healthy, view.patience)
    yield Served(times=30, limit=view.patience)
