"""Squid hangs: it takes connections and answers none.

Given clients that ask all the time, when every process of Squid is stopped (SIGSTOP), then the engine's functional
probe notices what no look at processes would, and the service is answered again before the node's own undo is due.
"""

from __future__ import annotations

from declaration.probed import is_probed
from operations.drill.disturbances import squid_hung
from operations.drill.steps import Disturb, Served, Steps, Undo, View, WaitFor

PLANNED = False


def lacks(view: View) -> str:
    """Somebody who asks Squid for an answer."""
    return (
        ""
        if is_probed(view.site)
        else "nobody asks Squid for an answer here: only the agent that this program brings does, by whichever engine"
    )


def steps(view: View) -> Steps:
    """Hung; served again by the engine's doing; whole."""
    # Longer than anybody waits: what ends it has to be the engine.
    yield Disturb(squid_hung(view.site, view.active, view.patience + 60))
    yield Served(limit=view.patience)
    yield Undo()
    yield WaitFor("all of the service runs again", lambda seen: seen.whole, view.patience)
