"""The standby's disk of the mirror finishes no write any more.

Given clients that ask all the time, when the standby's disk freezes, then the standby is cut off after
`mirror.failure.peer_timeout`, and the service goes on with its own half.
"""

from __future__ import annotations

from blueprint.traits import traits
from operations.drill.disturbances import ByPlug
from operations.drill.steps import Disturb, Served, Stays, Steps, Undo, View, WaitFor

PLANNED = False


def lacks(view: View) -> str:
    """Nobody but the one who provides a disk can freeze it, and the mirror has to be one that cuts such a disk off."""
    if view.site.mirror is None:
        return "the site has no mirror"
    if promises_nothing := traits(view.site).why_frozen_disk_promises_nothing(view.site):
        return promises_nothing
    return "" if "disk" in view.can else "a disk is frozen from outside of the node: in a lab, by its `--plug`"


def steps(view: View) -> Steps:
    """Frozen, cut off, served, thawed, resynchronised."""
    frozen, stays = view.standby, view.active
    yield Stays(stays)
    yield Disturb(ByPlug("disk", f"the mirror's disk of {frozen} finishes no write", frozen))
    cut_off = f"{stays} goes on without {frozen}'s half"
    yield WaitFor(cut_off, lambda seen: seen.mirror.get(stays) == "not connected", view.patience)
    yield Served(limit=view.patience)
    yield Undo()
    yield WaitFor(f"{frozen} has every record again", lambda seen: seen.healthy, 3 * view.patience)
    yield Served(limit=view.patience)
