"""The service is moved to the other node, and back.

Given clients that ask all the time, when an operator moves the service and moves it back, then it stays each time where
it was moved to, and no record is lost: a planned move unmounts the filesystem, which writes all of it.
"""

from __future__ import annotations

from operations.drill.steps import Move, Served, Stays, Steps, View, WaitFor

PLANNED = True


def lacks(_view: View) -> str:
    """Nothing: every pair can be moved."""
    return ""


def steps(view: View) -> Steps:
    """There and back, with clients served between."""
    for target in (view.standby, view.active):
        yield Move(target)
        yield WaitFor(f"all of the service runs on {target}", lambda seen, to=target: seen.runs_on(to), view.patience)
        yield Stays(target)
        yield Served(limit=view.patience)
        yield WaitFor("the site is healthy", lambda seen: seen.healthy, view.patience)
