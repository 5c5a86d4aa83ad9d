"""When a site is healthy: one answer for everybody who asks, be it `status`, its page or a drill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from declaration.site import Site
from operations.engines import Tree
from providers.roles import MirrorView

_DEGRADED = "Degraded"
_RUNS = frozenset({"Started", "Promoted", _DEGRADED})
_KEEPS_AWAY = frozenset({"standby", "maintenance", "fence", "unfenced", "ban"})
"""Kinds of notices that say that the service would not move by itself."""


def is_whole(tree: Tree) -> bool:
    """Whether every member of the service runs, all on one node."""
    active = tree.active
    return active is not None and all(states.get(active) in _RUNS for states in tree.states.values())


def at_once(tree: Tree) -> Mapping[str, bool]:
    """The nodes on which the service runs, each with whether all of it does, where it runs whole on one and on another
    too, as in a split brain; else none."""
    members = list(tree.states.values())
    running = {name: [states.get(name) in _RUNS for states in members] for name in members[0]} if members else {}
    found = {name: all(runs) for name, runs in running.items() if any(runs)}
    return found if len(found) > 1 and any(found.values()) else {}


def is_sound(tree: Tree, mirror: Mapping[str, MirrorView]) -> bool:
    """Whether the service is whole with nothing degraded, and its mirror, node → view, the same on both nodes."""
    degraded = any(_DEGRADED in states.values() for states in tree.states.values())
    return is_whole(tree) and not degraded and all(view.whole for view in mirror.values())


def can_fail_over(site: Site, online: frozenset[str] | None, notices: Iterable[str]) -> bool:
    """Whether every node that is not declared away would take the service.

    ``online``: where the engine runs, None for an engine that never tells; where it could not be read, nobody can say
    this either. ``notices``: their kinds.
    """
    nodes = {node.name for node in site.nodes if not node.away}
    return (online is None or online >= nodes) and _KEEPS_AWAY.isdisjoint(notices)
