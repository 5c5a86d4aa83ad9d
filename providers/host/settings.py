"""Files and units as most kinds need them: models, one batched reading, one convergence, one undoing.

`NodeSettings` is a building block: a kind embeds it per node in its ``Wanted`` and adds what is its own (a key, a
synchronisation to wait for, a device). `converge_settings` and `remove_settings` live in `providers.host.changes`
and are offered here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Literal, cast

from pydantic import Field, StringConstraints

from providers.connection.answers import told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command
from providers.connection.errors import Unknown
from providers.connection.files import Found, files_command, parse_files
from providers.contract import State
from providers.host import digest
from providers.host.systemd import UnitFound, parse_units, units_command

Enabled = Literal["enabled", "disabled", "masked", "static"]
Active = Literal["active", "inactive", "failed"]
Mode = Annotated[str, StringConstraints(pattern=r"^[0-7]{4}$")]
# Debian's own accounts have no blanks in their names; those of a directory service may, such as AD's "domain users".
Owner = Annotated[str, StringConstraints(pattern=r"^[^:\s]+( [^:\s]+)*:[^:\s]+( [^:\s]+)*$")]

TRANSITION_WITHIN = 20.0
"""Seconds a reading waits for a unit that is just starting or stopping before it says that it cannot tell."""


class FileState(State):
    """A regular file. ``content`` None on observation: the file is not there. ``mode`` is octal text, ``0644``.

    ``content`` None when wanted: the file shall not be there. ``mode`` and ``owner`` None: not ours to say; a file
    that is made then gets ``0644 root:root``, one that is replaced keeps its own. ``check`` is a command that must
    accept the new content before it replaces the old; ``{}`` in it is the temporary file's path. A content of
    ``sha256:<hex>`` hides what is in the file (`providers.host.digest`): it is compared, and the caller writes the file
    itself, by `record_settings`, `providers.connection.files.write_file`, then `converge_settings` with ``changed``.
    """

    content: str | None = None
    mode: Mode | None = None
    owner: Owner | None = None
    check: list[str] = Field(default_factory=list[str])


class UnitState(State):
    """A systemd unit; ``None`` for a part that is not ours to say. ``restart_on`` are paths whose change restarts it.

    ``reload_on`` likewise reloads. A unit of which both parts are None is told of changes, and not brought back to how
    it was found. Facts: systemctl(1), ``is-enabled`` and ``is-active``.
    """

    enabled: Enabled | None = None
    active: Active | None = None
    restart_on: list[str] = Field(default_factory=list[str])
    reload_on: list[str] = Field(default_factory=list[str])


class NodeSettings(State):
    """What shall stand on one node: files by absolute path, units by full name (``chrony.service``).

    ``directories`` are made as needed (path → ``mode owner:group``) before files, and removed when emptied by us.
    """

    directories: dict[str, str] = Field(default_factory=dict[str, str])
    files: dict[str, FileState] = Field(default_factory=dict[str, FileState])
    units: dict[str, UnitState] = Field(default_factory=dict[str, UnitState])


async def read_settings(node: Node, wanted: NodeSettings) -> NodeSettings:
    """What of ``wanted`` is there, in its very shape, read in one round trip.

    Instructions (``check``, ``restart_on``, ``reload_on``) are copied from ``wanted``; parts that ``wanted`` leaves
    open stay None; a directory that is not there is missing from the answer. Raises `Unknown` where a unit goes on
    starting or stopping.
    """
    found, units = await read_found(node, [*wanted.files, *wanted.directories], list(wanted.units))
    directories = {path: f"{found[path].mode} {found[path].owner}" for path in wanted.directories}
    return NodeSettings(
        directories={path: text for path, text in directories.items() if found[path].kind == "directory"},
        files={path: _file(found[path], file) for path, file in wanted.files.items()},
        units={name: _unit(units[name], unit) for name, unit in wanted.units.items()},
    )


async def read_found(
    node: Node, paths: list[str], units: list[str], *, within: float | None = None
) -> tuple[dict[str, Found], dict[str, UnitFound]]:
    """Paths and units as found, in one round trip; read again while a unit is in transition. Raises `Unknown`."""
    asked: list[Command] = []
    if paths:
        asked.append(files_command(paths))
    if units:
        asked.append(units_command(units))
    if not asked:
        return {}, {}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (TRANSITION_WITHIN if within is None else within)
    while True:
        results = await node.batch(asked)
        with told_by(node.name):
            found = parse_files(results[0].stdout, paths) if paths else {}
            states = parse_units(results[-1].stdout, units) if units else {}
        moving = [unit for unit in states.values() if not unit.settled]
        if not moving:
            return found, states
        if loop.time() > deadline:
            text = ", ".join(f"{unit.name} is {unit.active}" for unit in moving)
            raise Unknown(f"cannot tell the state of a unit: {text}", node=node.name, remedy="try again shortly")
        await asyncio.sleep(0.5)


def _file(found: Found, wanted: FileState) -> FileState:
    if found.kind == "absent":
        return FileState(check=wanted.check)
    if found.kind != "file":
        # Not a regular file: shown as what it is, so that it never equals what is wanted.
        target = found.content.decode(errors="backslashreplace")
        return FileState(content=f"({found.kind} {target})", check=wanted.check)
    return FileState(
        content=shown_content(found.content, wanted.content),
        mode=found.mode if wanted.mode is not None else None,
        owner=found.owner if wanted.owner is not None else None,
        check=wanted.check,
    )


def shown_content(content: bytes, wanted: str | None) -> str:
    """A file's content as compared and shown: hidden behind its digest where that is what is wanted."""
    if wanted is not None and digest.is_hidden(wanted):
        return digest.like(content, wanted)
    return content.decode(errors="backslashreplace")


def _unit(found: UnitFound, wanted: UnitState) -> UnitState:
    enabled = cast("Enabled | None", found.enabled or None)
    return UnitState(
        enabled=enabled if wanted.enabled is not None else None,
        active=cast("Active", found.state) if wanted.active is not None else None,
        restart_on=wanted.restart_on,
        reload_on=wanted.reload_on,
    )


async def converge_settings(
    cluster: Cluster,
    node: Node,
    wanted: NodeSettings,
    observed: NodeSettings,
    *,
    act_on_units: bool = True,
    changed: Collection[str] = (),
) -> None:
    """Make the difference true: journal what was there, then directories, files, daemon-reload, units.

    With ``act_on_units=False`` units are journalled but left to the caller. ``changed`` are paths that the caller has
    just changed by itself, for units that must notice.
    """
    from providers.host import changes  # noqa: PLC0415 - it builds on the models above

    await changes.converge(cluster, node, wanted, observed, act_on_units=act_on_units, changed=changed)


async def record_settings(cluster: Cluster, node: Node, wanted: NodeSettings) -> None:
    """Journal what stands where ``wanted`` will stand; for a caller that writes some of it by other means."""
    from providers.host import changes  # noqa: PLC0415 - it builds on the models above

    await changes.record(cluster, node, wanted)


async def remove_settings(cluster: Cluster, node: Node, wanted: NodeSettings) -> None:
    """Bring back what the journal says was there before: files, units, directories; then drop those entries.

    Everything that was ever journalled for this thing comes back, also what ``wanted`` no longer names; but for units
    of which it declares neither part.
    """
    from providers.host import changes  # noqa: PLC0415 - it builds on the models above

    await changes.take_back(cluster, node, keep=NodeSettings(), restart_on=wanted.units)


async def prune_settings(cluster: Cluster, node: Node, wanted: NodeSettings) -> None:
    """Bring back what an earlier declaration changed and ``wanted`` no longer names; the rest stays.

    Only for a kind whose ``wanted`` is everything it sets on this node: others would lose what they set elsewhere.
    """
    from providers.host import changes  # noqa: PLC0415 - it builds on the models above

    await changes.take_back(cluster, node, keep=wanted, restart_on=wanted.units)
