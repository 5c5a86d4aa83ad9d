"""Squid is killed.

Given clients that ask all the time, when every process of Squid is killed at once, then the engine notices and starts
it again, here or on the other node. No record is lost: Squid hands each to the kernel when its request ends.
"""

from __future__ import annotations

from operations.drill.disturbances import squid_killed
from operations.drill.steps import Disturb, Served, Steps, View, WaitFor

PLANNED = False


def lacks(_view: View) -> str:
    """Nothing."""
    return ""


def steps(view: View) -> Steps:
    """Killed; served again; whole."""
    yield Disturb(squid_killed(view.site, view.active))
    yield Served(limit=view.patience)
    yield WaitFor("all of the service runs again", lambda seen: seen.whole, view.patience)
