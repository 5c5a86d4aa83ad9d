"""How the mirror is, as its source's md device tells it; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from providers.roles import UP_TO_DATE, MirrorView

_STANDBY = "OSU"
_ARRAY = re.compile(r"^(md\S*) :.*\bnbd\d.*(?:\n[ \t].*)*", re.MULTILINE)
_PROGRESS = re.compile(r"(recovery|resync) *= *(\S+)")


def seen_from_both(halves: Mapping[str, MirrorView]) -> dict[str, MirrorView]:
    """With a target's own half as its source tells of it: the target itself does not know how far it is.

    One that is not out of service but failed, or has no source, stays unknown.
    """
    source = next((view for view in halves.values() if view.role == "source"), None)

    def known(view: MirrorView) -> MirrorView:
        if source is None or view.role != "target" or view.connection != _STANDBY:
            return view
        return replace(source, role="target", data=source.peer_data, peer_data=source.data)

    return {name: known(view) for name, view in halves.items()}


def unless_unheard(view: MirrorView, unheard: Sequence[str]) -> MirrorView:
    """The source's view without what it cannot know while it does not hear its target.

    md takes the other half for whole until a write to it fails, which takes as long as the network block device waits.
    """
    if not unheard or view.role != "source":
        return view
    connection = f"{view.connection}, but {' and '.join(unheard)} is not heard"
    return replace(view, connected=False, connection=connection, peer_data="unknown", percent=None)


def resynchronising(text: str) -> list[str]:
    """Mirrors of which one half is getting what it lacks, from /proc/mdstat: ``md0: recovery 12.5%``.

    DataKeeper's are the arrays with the other node's disk in them, a network block device (its manuals).
    """
    arrays = {match[1]: _PROGRESS.search(match[0]) for match in _ARRAY.finditer(text)}
    return [f"{name}: {found[1]} {found[2]}" for name, found in arrays.items() if found]


def parse_mdstat(text: str) -> MirrorView:
    """The source's view, from /proc/mdstat with the device that is mounted behind it."""
    lines = text.strip().splitlines()
    device = lines[-1].rsplit("/", 1)[-1] if lines else ""
    block = re.search(rf"^{re.escape(device)} :.*(?:\n[ \t].*)*", text, re.MULTILINE) if device else None
    halves = re.search(r"\[([U_]+)\]", block[0]) if block else None
    if block is None or halves is None:
        return MirrorView("source", connection="no md device is mounted", data="unknown", peer_data="unknown")
    # First: md shows both halves as members, `[UU]`, while it makes them the same again after a crash.
    progress = _PROGRESS.search(block[0])
    if progress:
        share = re.fullmatch(r"(\d+(?:\.\d+)?)%", progress[2])
        return MirrorView(
            "source",
            connected=True,
            connection="resynchronising",
            data=UP_TO_DATE,
            peer_data="behind",
            percent=float(share[1]) if share else None,
        )
    if "_" not in halves[1]:
        return MirrorView(
            "source", connected=True, connection="connected", data=UP_TO_DATE, peer_data=UP_TO_DATE, percent=100
        )
    return MirrorView("source", connection="broken", data=UP_TO_DATE, peer_data="unknown")
