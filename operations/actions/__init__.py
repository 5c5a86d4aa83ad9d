"""What operators do to a running site, on whichever engine; each converges: run again, it ends in the same state."""

from __future__ import annotations

from operations.actions.do import Outcome, act, hold
from operations.actions.peer import refuse_peer, start_alone
from operations.actions.split import Resolved, Saved, resolve, save

__all__ = ["Outcome", "Resolved", "Saved", "act", "hold", "refuse_peer", "resolve", "save", "start_alone"]
