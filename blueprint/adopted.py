"""A site's things without what the declaration leaves as it was found on the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from blueprint import names, paths
from blueprint.thing import Thing
from declaration.adopted import Adopted
from declaration.site import Site
from providers.host.digest import AS_FOUND
from providers.host.settings import FileState, NodeSettings

MOUNT_POINT = "mount-point"
"""In `Adopted.things`: the guard on the mount point, which is a part of the mirror's or the filesystem's thing."""


def leave_as_found(site: Site, things: list[Thing]) -> list[Thing]:
    """``things`` for a site with the section `adopted`; the same ones without it."""
    if site.adopted is None:
        return things
    made = [
        _unguarded(site.adopted, _left(site.adopted, thing))
        for thing in things
        if thing.name not in site.adopted.things
    ]
    return [thing for thing in made if not _is_empty(thing)]


def settings_of(inputs: object) -> dict[str, NodeSettings]:
    """The files and units of a thing per node; nothing for kinds that have none."""
    nodes: object = getattr(inputs, "nodes", None)
    if not isinstance(nodes, Mapping):
        return {}
    each = {str(name): _settings(value) for name, value in cast("Mapping[str, object]", nodes).items()}
    return {name: settings for name, settings in each.items() if settings is not None}


def _settings(value: object) -> NodeSettings | None:
    if isinstance(value, NodeSettings):
        return value
    inner: object = getattr(value, "settings", None)
    return inner if isinstance(inner, NodeSettings) else None


def _left(adopted: Adopted, thing: Thing) -> Thing:
    found = settings_of(thing.inputs)
    if not found:
        return thing
    nodes: dict[str, Any] = {}
    for name, value in cast("Any", thing.inputs).nodes.items():
        settings = _kept(adopted, name, found[name])
        nodes[name] = settings if isinstance(value, NodeSettings) else value.model_copy(update={"settings": settings})
    inputs = thing.inputs.model_copy(update={"nodes": nodes})
    included: object = getattr(inputs, "included", None)
    if isinstance(included, Mapping):
        # Of a squid.conf that is kept nobody here knows what it includes.
        words = cast("Mapping[str, str]", included)
        looked_into = [name for name, settings in settings_of(inputs).items() if _has_checked(settings)]
        inputs = inputs.model_copy(update={"included": {name: words[name] for name in words if name in looked_into}})
    return replace(thing, inputs=inputs)


def _unguarded(adopted: Adopted, thing: Thing) -> Thing:
    """The mirror and its filesystem without a guard on the mount point, and without a place for a rotation, where these
    are left as they were found."""
    left: dict[str, Any] = {}
    if MOUNT_POINT in adopted.things and getattr(thing.inputs, "mount_points", None):
        left["mount_points"] = {}
    directories: object = getattr(thing.inputs, "directories", None)
    if names.ROTATION in adopted.things and isinstance(directories, Mapping):
        kept = cast("Mapping[str, str]", directories)
        left["directories"] = {path: text for path, text in kept.items() if path != paths.ROTATION_DIRECTORY}
    return replace(thing, inputs=thing.inputs.model_copy(update=left)) if left else thing


def _has_checked(settings: NodeSettings) -> bool:
    """Whether there is a squid.conf of this program's, which Squid checks before it is written."""
    return any(file.check for file in settings.files.values())


def _kept(adopted: Adopted, node: str, settings: NodeSettings) -> NodeSettings:
    files = {path: file for path, file in settings.files.items() if path not in adopted.without}
    for each in adopted.files:
        if each.node == node and each.path in files:
            files[each.path] = FileState(content=f"{AS_FOUND}{each.sha256}", mode=each.mode, owner=each.owner)
    return NodeSettings(
        directories={path: text for path, text in settings.directories.items() if path not in adopted.without},
        files=files,
        units={name: unit for name, unit in settings.units.items() if name not in adopted.units},
    )


def _is_empty(thing: Thing) -> bool:
    """Of files and units and nothing else, none is left."""
    found = settings_of(thing.inputs)
    return thing.kind == "host.settings" and not any(each.files or each.units for each in found.values())
