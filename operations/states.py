"""States of the service's members as LifeKeeper's window calls them, on either engine: in service, standby, failed."""

from __future__ import annotations

_WORDS = {
    "Started": "in service",
    "Promoted": "in service",
    "Unpromoted": "standby",
    "Stopped": "standby",
    "Failed": "failed",
    "Degraded": "degraded",
}


def state_in_words(state: str) -> str:
    """An engine's word for a state as LifeKeeper's window would say it; an operation under way is its own word."""
    return _WORDS.get(state, state.lower() or "unknown")
