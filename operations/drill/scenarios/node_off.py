"""The active node loses its power.

Given clients that ask all the time, when the active node loses its power, then it is fenced, the other node takes the
service over, and when the lost node returns its data is brought up to date and the service stays. Of the log, the last
seconds before the crash may be missing, as many as the declared durability says.
"""

from __future__ import annotations

from blueprint.durability import bound
from blueprint.traits import traits
from declaration.site import Site
from operations.drill.disturbances import ByPlug, reset
from operations.drill.steps import Crash, Disturb, Fenced, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = False


def lacks(_view: View) -> str:
    """Nothing: without anybody at the plug the node is reset instead."""
    return ""


def may_lose(site: Site) -> float:
    """What the declared durability leaves. Without a mirror each node's log is its own and not synced, and of one that
    lags behind nobody knows how far."""
    if site.mirror is None or traits(site).why_peer_may_lag(site):
        return float("inf")
    return float(bound(site.mirror).seconds)


def steps(view: View) -> Steps:
    """Off, taken over, fenced, on, resynchronised, and no switchback."""
    lost, other = view.active, view.standby
    by_plug = "power" in view.can
    yield Disturb(ByPlug("power", f"{lost} loses its power", lost, cut_off=True) if by_plug else reset(lost))
    yield Crash(lost)
    yield WaitFor(f"all of the service runs on {other}", lambda seen: seen.runs_on(other), view.patience)
    yield Stays(other)
    yield Fenced(lost)
    yield Served(limit=view.patience)
    yield Undo()
    yield WaitFor(f"{lost} is back, and has every record", lambda seen: seen.healthy, 3 * view.patience)
    yield Served(limit=view.patience)
