"""A cluster that somebody else has built: its things are looked at, and written by nobody here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blueprint import names, paths
from blueprint.nodes import present
from blueprint.thing import Thing
from declaration.engines.pacemaker_adopted import AdoptedCluster, AdoptedMirror
from declaration.probed import adopted_of
from declaration.site import Site
from providers.host.digest import AS_FOUND
from providers.pacemaker import found, found_options
from providers.storage import found as found_mirror

MEMBERS = {
    "mirror": names.TREE_MIRROR,
    "filesystem": names.TREE_FILESYSTEM,
    "squid": names.TREE_SQUID,
    "address": names.TREE_ADDRESS,
    "fencing": names.FENCING,
}
"""Member of the declaration → the thing in whose place it stands."""

OPTIONS: Mapping[str, Sequence[str]] = {
    "properties": (
        "no-quorum-policy", "stonith-enabled", "start-failure-is-fatal", "stonith-timeout", "priority-fencing-delay",
    ),
    "resource_defaults": ("resource-stickiness", "migration-threshold", "failure-timeout"),
    "operation_defaults": ("timeout",),
}  # fmt: skip
"""What this program sets of a cluster, by section (`blueprint.engines.pacemaker.cluster`)."""


def mirror_resource(site: Site) -> str:
    """What DRBD calls the site's mirror."""
    adopted = adopted_of(site)
    return adopted.mirror.resource if adopted and adopted.mirror else paths.MIRROR_RESOURCE


def leave_as_found(site: Site, made: list[Thing]) -> list[Thing]:
    """The engine's things with what was found in the places of this program's own; the same without any.

    What was found has names of its own: a thing keeps its journal under its name, and one that is given up must not
    take that of the one which comes in its place.
    """
    adopted = adopted_of(site)
    if adopted is None:
        return made
    # The rule about reachability names Squid's resource as this program calls it.
    dropped = {
        *((names.FILESYSTEM,) if adopted.mirror else ()),
        *((names.REACHABILITY,) if adopted.members.squid else ()),
    }
    left = [_left(site, adopted, thing) for thing in made if thing.name not in dropped]
    renamed = {names.found(each): each for each in names.FOUND}
    called = {renamed[thing.name]: thing.name for thing in left if thing.name in renamed}
    return [replace(thing, after=tuple(called.get(name, name) for name in thing.after)) for thing in left]


def _left(site: Site, adopted: AdoptedCluster, thing: Thing) -> Thing:
    if thing.name == names.MIRROR and adopted.mirror:
        return _found(thing, "storage.found", _mirror(site, adopted.mirror))
    if thing.name == names.OPTIONS and adopted.options is not None:
        return _found(thing, "pacemaker.found_options", _options(adopted.options))
    for member, name in MEMBERS.items():
        known = getattr(adopted.members, member)
        if name == thing.name and known is not None:
            inputs = found.Wanted(id=known.id, definition=AS_FOUND + known.sha256)
            return _found(thing, "pacemaker.found", inputs)
    return thing


def _found(thing: Thing, kind: str, inputs: Any) -> Thing:  # noqa: ANN401 any kind's
    return replace(thing, name=names.found(thing.name), kind=kind, inputs=inputs)


def _mirror(site: Site, known: AdoptedMirror) -> found_mirror.Wanted:
    nodes = present(site)
    return found_mirror.Wanted(
        resource=known.resource,
        connected="yes" if len(nodes) > 1 else "no",
        nodes={name: found_mirror.NodeFound(configuration=AS_FOUND + known.sha256) for name in nodes},
    )


def _options(declared: Mapping[Any, str]) -> found_options.Wanted:
    """All of them: one that was not set and is now is a change too."""
    return found_options.Wanted.model_validate(
        {section: {name: declared.get(name) for name in listed} for section, listed in OPTIONS.items()}
    )
