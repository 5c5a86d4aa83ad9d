"""A cluster that somebody else has built: its things are looked at, and written by nobody here."""

from __future__ import annotations

from dataclasses import replace

from blueprint import names, paths
from blueprint.nodes import present
from blueprint.thing import Thing
from declaration.engines.pacemaker_adopted import AdoptedCluster, AdoptedMirror
from declaration.site import Site
from providers.host.digest import AS_FOUND
from providers.pacemaker import found, options
from providers.storage import found as found_mirror

MEMBERS = {
    "mirror": names.TREE_MIRROR,
    "filesystem": names.TREE_FILESYSTEM,
    "squid": names.TREE_SQUID,
    "address": names.TREE_ADDRESS,
    "fencing": names.FENCING,
}
"""Member of the declaration → the thing in whose place it stands."""


def mirror_resource(site: Site) -> str:
    """What DRBD calls the site's mirror."""
    adopted = adopted_of(site)
    return adopted.mirror.resource if adopted and adopted.mirror else paths.MIRROR_RESOURCE


def adopted_of(site: Site) -> AdoptedCluster | None:
    """What is left as it was found, None where all of it is this program's."""
    return site.pacemaker.adopted if site.pacemaker else None


def leave_as_found(site: Site, made: list[Thing]) -> list[Thing]:
    """The engine's things with what was found in the places of this program's own; the same without any."""
    adopted = adopted_of(site)
    if adopted is None:
        return made
    # The rule about reachability names Squid's resource as this program calls it.
    dropped = {
        *((names.FILESYSTEM,) if adopted.mirror else ()),
        *((names.REACHABILITY,) if adopted.members.squid else ()),
    }
    left = (_left(site, adopted, thing) for thing in made if thing.name not in dropped)
    return [thing for thing in left if thing is not None]


def _left(site: Site, adopted: AdoptedCluster, thing: Thing) -> Thing | None:
    if thing.name == names.MIRROR and adopted.mirror:
        return replace(thing, kind="storage.found", inputs=_mirror(site, adopted.mirror))
    if thing.name == names.OPTIONS and adopted.options is not None:
        return _options(thing, adopted)
    for member, name in MEMBERS.items():
        known = getattr(adopted.members, member)
        if name == thing.name and known is not None:
            inputs = found.Wanted(id=known.id, definition=AS_FOUND + known.sha256)
            return replace(thing, kind="pacemaker.found", inputs=inputs)
    return thing


def _mirror(site: Site, known: AdoptedMirror) -> found_mirror.Wanted:
    nodes = present(site)
    return found_mirror.Wanted(
        resource=known.resource,
        connected="yes" if len(nodes) > 1 else "no",
        nodes={name: found_mirror.NodeFound(configuration=AS_FOUND + known.sha256) for name in nodes},
    )


def _options(thing: Thing, adopted: AdoptedCluster) -> Thing | None:
    """The values found in the places of this program's; an option that was not set has no place any more."""
    own = thing.inputs
    if not isinstance(own, options.Wanted) or not adopted.options:
        return None
    kept = {
        section: {name: adopted.options[name] for name in own.section(section) if name in adopted.options}
        for section in options.SECTIONS
    }
    return replace(thing, inputs=options.Wanted.model_validate(kept))
