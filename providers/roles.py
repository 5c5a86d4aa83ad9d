"""What every engine says of a running site, in words that belong to none of them.

The active node runs the service, the other one stands by. The mirror's source is the node whose data is copied, its
target the one that gets the copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

UP_TO_DATE = "up to date"
"""What `MirrorView.data` says of a half that has everything; all other words are the engine's own."""

NoticeKind = Literal["failure", "ban", "constraint", "fence", "unfenced", "standby", "maintenance", "apart"]


@dataclass(frozen=True)
class MirrorView:
    """The mirror as one node sees it; all empty where the node knows no mirror.

    ``connection``: how it stands to the other half, in the engine's words. ``data`` and ``peer_data``: the state of
    the data here and there, `UP_TO_DATE` or the engine's word. ``percent``: how much both have, None while the other
    half is not seen. ``trouble``: the sentence why this node could not be asked; then the rest is empty.
    """

    role: Literal["source", "target", ""] = ""
    connected: bool = False
    connection: str = ""
    data: str = ""
    peer_data: str = ""
    percent: float | None = None
    trouble: str = ""

    @property
    def up_to_date(self) -> bool:
        """Whether everything is here."""
        return self.data == UP_TO_DATE

    @property
    def peer_up_to_date(self) -> bool:
        """Whether everything is there, as far as this node knows."""
        return self.peer_data == UP_TO_DATE

    @property
    def whole(self) -> bool:
        """Whether the two see each other and both have everything."""
        return self.connected and self.up_to_date and self.peer_up_to_date


@dataclass(frozen=True)
class Notice:
    """Something that the engine or its tools noted for a while, or people set: worth knowing, whether drift or not.

    ``failure``: an earlier failure. ``ban``: failures, a constraint or an option of the cluster that keep the service
    off a node, or off all, until somebody takes them back, or they expire. ``constraint``: another one that a tool
    left. ``fence``: the mirror forbids a node to become its source until it has caught up. ``unfenced``: what fences a
    lost node does not run, or not everywhere. ``standby``: a node that was put aside. ``maintenance``: the engine
    starts, stops and moves nothing, or not this member, or does not look for failures. ``apart``: a node that takes no
    part, or is a cluster by itself; or a split brain. ``text`` is a sentence for people, ``node`` and ``member`` what
    it is about, empty if all.
    """

    kind: NoticeKind
    text: str
    node: str = ""
    member: str = ""


@dataclass(frozen=True)
class SplitBrain:
    """Both halves of the mirror have data that the other has not. ``said``: node → how it tells."""

    said: Mapping[str, str] = field(default_factory=dict[str, str])
