"""What a drill is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from operations.drill.plug import NoPlug, Plug


@dataclass(frozen=True)
class Options:
    """``names``: scenarios, all that can be done without any. ``knows``: somebody has said that he knows what breaks.

    ``sender``: `here`, a node's name, or empty for the plug's clients, or the scenario's node where there are none.
    ``patience``: seconds for the engine to do what it should; None: three times the longest gap stated, and at least
    five minutes. ``machine``: what the hosts are, for the report.
    """

    names: Sequence[str] = ()
    knows: bool = False
    sender: str = ""
    rate: float = 5.0
    url: str = ""
    patience: float | None = None
    machine: str = ""
    plug: Plug = field(default_factory=NoPlug)
