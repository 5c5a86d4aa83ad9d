"""A declaration against the nodes that it describes: what is kept as found, and what `up` would still change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from blueprint import names
from blueprint.adopted import MOUNT_POINT, settings_of
from blueprint.platforms import PLATFORMS
from blueprint.site import things
from blueprint.thing import Thing
from declaration.site import Site
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError
from providers.connection.files import Found, read_files
from providers.contract import Absent, Observed, State
from providers.host.settings import NodeSettings
from providers.kinds import load_kind
from providers.reconcile import Difference, differences, hidden_by, join

_JOURNAL_ONLY = (".metadata",)
"""What only the journal says: that a disk is this site's. Writing that is what adoption is."""
_GUARDED = "mount_points"
"""A mount point that something can be written to while the mirror is not mounted may stay as it was found."""
_COPIED = {"lifekeeper.service": "settings", "lifekeeper.generic": "settings"}
"""Kind → where scripts stand of which LifeKeeper has copies: it runs those, which are compared, and `up` puts these."""
_LEFT_OUT = (names.NAMES, names.SQUID_PROFILE, names.ROTATION)
_KEPT_FILES = frozenset({"squid.config", "host.settings", "host.time", "pacemaker.membership", "pacemaker.sbd"})
"""Kinds whose files may stay as they were found: what they do besides does not depend on their text."""


@dataclass
class Outcome:
    """``changes``: what `up` would change, a sentence each; ``adopted``: what can be kept as found, as plain data."""

    changes: list[str] = field(default_factory=list[str])
    adopted: dict[str, Any] = field(default_factory=dict[str, Any])


async def compare(cluster: Cluster, site: Site) -> Outcome:
    """Everything that the site consists of, looked at by the very code that `up` looks with."""
    made = things(site, cluster.owner)
    reading = replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()})
    seen = await asyncio.gather(*(_observe(reading, thing) for thing in made))
    differing = _paths(made, seen)
    found = await reading.each(lambda node: read_files(node, differing.get(node.name, [])))
    outcome = Outcome()
    for thing, observed in zip(made, seen, strict=True):
        _judge(outcome, site, thing, observed, found)
    return outcome


async def _observe(cluster: Cluster, thing: Thing) -> Observed[State] | HostError:
    try:
        return await load_kind(thing.kind).observe(cluster.of(thing.name), thing.inputs)
    except HostError as error:
        return error


def _paths(made: list[Thing], seen: list[Observed[State] | HostError]) -> dict[str, list[str]]:
    """Node → files that are not as wanted."""
    paths: dict[str, list[str]] = {}
    for thing, observed in zip(made, seen, strict=True):
        live = {} if isinstance(observed, Absent | HostError) else settings_of(observed.values)
        for node, wanted in settings_of(thing.inputs).items():
            there = live.get(node, NodeSettings()).files
            paths.setdefault(node, []).extend(path for path, file in wanted.files.items() if there.get(path) != file)
    return paths


def _judge(
    outcome: Outcome,
    site: Site,
    thing: Thing,
    observed: Observed[State] | HostError,
    found: Mapping[str, Mapping[str, Found]],
) -> None:
    if thing.kind == "host.node":
        _owner(outcome, thing, observed)
        return
    if isinstance(observed, HostError):
        outcome.changes.append(f"{thing.name}: cannot be told: {observed.message}")
        return
    if thing.name in _LEFT_OUT and (isinstance(observed, Absent) or thing.name == names.NAMES):
        if isinstance(observed, Absent) or differences(thing.inputs, observed.values):
            outcome.adopted.setdefault("things", []).append(thing.name)
        return
    if isinstance(observed, Absent):
        outcome.changes.append(f"{thing.name}: is not there, and would be made")
        return
    kept = _keep(outcome, site, thing, observed.values, found) if thing.kind in _KEPT_FILES else ()
    hide = hidden_by(load_kind(thing.kind))
    for each in differences(thing.inputs, observed.values):
        if each.path.startswith(_GUARDED):
            _add(outcome, "things", MOUNT_POINT)
        elif not (_is_copied(thing, each) or each.path.endswith(_JOURNAL_ONLY) or _is_settled(each.path, kept)):
            outcome.changes.append(f"{thing.name}: {each.shown(hide)}")


def _is_copied(thing: Thing, difference: Difference) -> bool:
    return thing.kind in _COPIED and difference.path.startswith(_COPIED[thing.kind]) and difference.found is None


def _is_settled(path: str, marks: tuple[str, ...]) -> bool:
    """Marks of files, directories and units are a part of paths, on any node; others a whole one."""
    return any(path == mark or (mark.endswith('"]') and mark in path) for mark in marks)


def _owner(outcome: Outcome, thing: Thing, observed: Observed[State] | HostError) -> None:
    """An unclaimed node is absent; one that is claimed belongs to somebody."""
    if isinstance(observed, HostError):
        outcome.changes.append(f"{thing.name}: cannot be told: {observed.message}")
    elif not isinstance(observed, Absent):
        outcome.changes += [f"{thing.name}: {each}" for each in differences(thing.inputs, observed.values)]


def _keep(
    outcome: Outcome, site: Site, thing: Thing, live: State, found: Mapping[str, Mapping[str, Found]]
) -> tuple[str, ...]:
    """Note what stays as found; returns marks of the differences that are settled by that."""
    marks: list[str] = []
    there = settings_of(live)
    engine_units = PLATFORMS[site.platform].squid_unit, "corosync.service", "pacemaker.service", "sbd.service"
    for node, wanted in settings_of(thing.inputs).items():
        seen = there[node]
        for path, file in wanted.files.items():
            if seen.files[path] == file:
                continue
            if _note_file(outcome, node, found[node][path]):
                marks.append(f'files["{path}"]')
                if file.check:
                    # A squid.conf that is kept is not looked into, and neither is what it includes.
                    marks.append(join("included", node))
        for path, text in wanted.directories.items():
            if seen.directories.get(path) != text:
                _add(outcome, "without", path)
                marks.append(f'directories["{path}"]')
        for unit, state in wanted.units.items():
            if seen.units[unit] != state and unit not in engine_units:
                _add(outcome, "units", unit)
                marks.append(f'units["{unit}"]')
    return tuple(marks)


def _note_file(outcome: Outcome, node: str, found: Found) -> bool:
    if found.kind == "absent":
        _add(outcome, "without", found.path)
        return True
    if found.kind != "file":
        return False
    entry = {
        "path": found.path,
        "node": node,
        "sha256": hashlib.sha256(found.content).hexdigest(),
        "mode": found.mode,
        "owner": found.owner,
    }
    outcome.adopted.setdefault("files", []).append(entry)
    return True


def _add(outcome: Outcome, key: str, text: str) -> None:
    entries = outcome.adopted.setdefault(key, [])
    if text not in entries:
        entries.append(text)
