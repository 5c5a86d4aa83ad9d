"""The replication network is cut.

Given clients that ask all the time, when the nodes lose the network between them, then the service goes on where it is
with one half of the mirror, and the other half is brought up to date when the network returns.
"""

from __future__ import annotations

from collections.abc import Mapping

from operations.drill.disturbances import CUTS_BY, ByPlug, network_cut
from operations.drill.steps import Disturb, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = False


def lacks(view: View) -> str:
    """There has to be one."""
    if view.site.network.replication is None:
        return "the site has no replication network"
    return ""


def tools(view: View) -> Mapping[str, str]:
    """What drops the packets, where no plug pulls the cable."""
    return {} if "replication network" in view.can else CUTS_BY


def steps(view: View) -> Steps:
    """Cut on the standby's side, noticed, healed, resynchronised."""
    cut, stays = view.standby, view.active
    yield Stays(stays)
    cable = ByPlug("replication network", f"{cut} is cut off the replication network", cut)
    can = "replication network" in view.can
    yield Disturb(cable if can else network_cut(view.site, cut, "replication", view.lasts))
    if view.site.mirror is not None:
        alone = f"{stays} goes on with its half of the mirror"
        yield WaitFor(alone, lambda seen: seen.mirror.get(stays) == "not connected", view.patience)
    yield Served(limit=view.patience)
    yield WaitFor(f"all of the service runs on {stays}", lambda seen: seen.runs_on(stays), view.patience)
    yield Undo()
    yield WaitFor("both halves are up to date again", lambda seen: seen.healthy, view.patience)
    yield Served(limit=view.patience)
