"""The active node loses the public network.

Given clients that ask all the time, when the active node no longer reaches the public network, then the service moves
to the node that does, in order and without a lost record, and stays there when the network returns.
"""

from __future__ import annotations

from collections.abc import Mapping

from blueprint.traits import traits
from operations.drill.disturbances import CUTS_BY, ByPlug, network_cut
from operations.drill.steps import Disturb, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = False


def lacks(view: View) -> str:
    """What watches the network has to be declared, or nothing is promised."""
    return traits(view.site).why_public_loss_moves_nothing(view.site)


def tools(view: View) -> Mapping[str, str]:
    """What drops the packets, where no plug pulls the cable."""
    return {} if "public network" in view.can else CUTS_BY


def steps(view: View) -> Steps:
    """Cut, moved, healed, and no switchback."""
    lost, other = view.active, view.standby
    what = f"{lost} is cut off the public network"
    cable = ByPlug("public network", what, lost, cut_off=True)
    yield Disturb(cable if "public network" in view.can else network_cut(view.site, lost, "public", view.lasts))
    yield WaitFor(f"all of the service runs on {other}", lambda seen: seen.runs_on(other), view.patience)
    yield Stays(other)
    yield Served(limit=view.patience)
    yield Undo()
    yield WaitFor(f"{lost} takes part again, and has every record", lambda seen: seen.healthy, view.patience)
    yield Served(limit=view.patience)
