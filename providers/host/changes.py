"""Making settings true on a node, and taking them back: the order of the steps is what survives a cut.

What was there is journalled before anything changes. A unit that must notice a changed file is journalled as pending
*before* the file changes and struck off after it was restarted: a run that is cut off in between leaves a file that
is right and a service that has not read it, and nothing but the pending mark would tell the next run.

A unit of which neither part is declared is only told of changed files: how it is stays its administrator's to say, so
that it is not journalled, nor brought back out of a journal in which an earlier release recorded it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Literal

from pydantic import BaseModel, ValidationError

from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Cluster, Journal, Node
from providers.connection.command import command, script
from providers.connection.files import (
    Found,
    refuse_odd,
    remove_file,
    restore_file,
    set_attributes,
    write_file,
)
from providers.host.digest import is_hidden
from providers.host.settings import Active, Enabled, FileState, NodeSettings, UnitState, read_found
from providers.host.systemd import SETTLE_WITHIN, UnitFound, act, read_units, reload_units, set_enabled

_FILE, _DIRECTORY, _UNIT, _PENDING = "file ", "directory ", "unit ", "pending "
_DAEMON = f"{_PENDING}daemon-reload"
_UNIT_PLACES = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/", "/run/systemd/system/")
# Another thing may have made it since it was looked for.
_MAKE_DIRECTORY = r"""
{ mkdir -m 0700 -- "$1" || [ -d "$1" ]; } && chown -- "$3" "$1" && chmod -- "$2" "$1" && sync "$1/.."
"""
# Not empty is no failure: what else is in there is not ours.
_REMOVE_DIRECTORIES = r"""
for d; do rmdir -- "$d" 2>/dev/null; done; true
"""


def paths_of(entries: Mapping[str, str]) -> list[str]:
    """Files and directories that a thing has changed on a node, out of its journal there."""
    return [*_strip(entries, _FILE), *_strip(entries, _DIRECTORY)]


async def record(cluster: Cluster, node: Node, wanted: NodeSettings) -> tuple[dict[str, Found], dict[str, UnitFound]]:
    """Journal what stands where ``wanted`` will stand, unless it was journalled before; returns what stands there."""
    paths = [*wanted.files, *wanted.directories]
    found, units = await read_found(node, paths, list(wanted.units), within=SETTLE_WITHIN)
    for path in wanted.files:
        refuse_odd(node, found[path])
    before = {f"{_FILE}{path}": found[path].to_text() for path in wanted.files}
    before |= {f"{_DIRECTORY}{path}": found[path].to_text() for path in wanted.directories}
    before |= {f"{_UNIT}{name}": unit_text(units[name]) for name, unit in wanted.units.items() if _is_ours(unit)}
    journal = cluster.journal(node)
    known = await journal.entries()
    await _record_new(journal, {name: text for name, text in before.items() if name not in known})
    return found, units


async def _record_new(journal: Journal, values: Mapping[str, str]) -> None:
    if values:
        await journal.record({**values, **await _made_for_others(journal, values)})


async def _made_for_others(journal: Journal, values: Mapping[str, str]) -> dict[str, str]:
    """Directories that are there because another thing of the site has made them, as that one found them: not there.

    Whichever of the two goes last then removes them.
    """
    there = [name for name, text in values.items() if name.startswith(_DIRECTORY) and not _is_absent(text)]
    others = await journal.elsewhere(there) if there else {}
    return {name: text for name, texts in others.items() for text in texts if _is_absent(text)}


async def mark(cluster: Cluster, node: Node, wanted: NodeSettings, changing: Collection[str]) -> None:
    """Journal as pending what has to notice these paths, for a caller that is about to write some of them itself.

    The `converge` that acts on the units then has them notice, also where a cut comes in between.
    """
    journal = cluster.journal(node)
    await _add_pending(journal, await _pending(journal), _notices(wanted.units, changing) | _daemon(changing, ()))


async def converge(
    cluster: Cluster,
    node: Node,
    wanted: NodeSettings,
    observed: NodeSettings,
    *,
    act_on_units: bool,
    changed: Collection[str] = (),
) -> None:
    """See `providers.host.settings.converge_settings`."""
    journal = cluster.journal(node)
    pending = await _pending(journal)
    if observed == wanted and not pending and not changed:
        return
    found, units = await record(cluster, node, wanted)
    writing = [path for path, file in wanted.files.items() if _differs(found[path], file)]
    if act_on_units:
        new = _notices(wanted.units, {*writing, *changed}) | _daemon(writing, units.values())
        pending = await _add_pending(journal, pending, new)
    await make_directories(node, wanted.directories, found)
    for path in writing:
        await _write(node, path, wanted.files[path], found[path])
    if act_on_units:
        await _reload_if(node, pending)
        current = await read_units(node, list(wanted.units))
        for name, unit in wanted.units.items():
            await _bring(node, current[name], unit, pending.get(f"{_PENDING}{name}", ""))
        await journal.drop(list(pending))


async def take_back(cluster: Cluster, node: Node, *, keep: NodeSettings, restart_on: Mapping[str, UnitState]) -> None:
    """Bring back what the journal says was there, but for what ``keep`` names; then drop those entries."""
    journal = cluster.journal(node)
    entries = await journal.entries()
    kept = {f"{_FILE}{path}" for path in keep.files} | {f"{_DIRECTORY}{path}" for path in keep.directories}
    kept |= {f"{_UNIT}{name}" for name in keep.units}
    ours = {name: text for name, text in entries.items() if name.startswith((_FILE, _DIRECTORY, _UNIT))}
    undo = {name: text for name, text in ours.items() if name not in kept}
    if not undo:
        return
    free = [name for name, unit in restart_on.items() if not _is_ours(unit)]
    with told_by(node.name):
        files = {path: Found.from_text(path, undo[f"{_FILE}{path}"]) for path in _strip(undo, _FILE)}
        directories = {path: Found.from_text(path, undo[f"{_DIRECTORY}{path}"]) for path in _strip(undo, _DIRECTORY)}
        units = {name: unit_from(name, undo[f"{_UNIT}{name}"]) for name in _strip(undo, _UNIT) if name not in free}
    found, now = await read_found(node, [*files, *directories], list(units), within=SETTLE_WITHIN)

    await _quieten(node, units, now)
    writing = [path for path, before in files.items() if found[path] != before]
    pending = {name: text for name, text in entries.items() if name.startswith(_PENDING)}
    pending = await _add_pending(journal, pending, _notices(restart_on, writing) | _daemon(writing, now.values()))
    for path in writing:
        await restore_file(node, files[path])
    await _restore_directories(node, directories, found)
    await _reload_if(node, pending)
    await _restore_units(node, units, pending)
    await _tell(node, {**{name: UnitState() for name in free}, **keep.units}, pending)
    await journal.drop([*undo, *pending])


def _is_ours(unit: UnitState) -> bool:
    return unit.enabled is not None or unit.active is not None


def _is_absent(text: str) -> bool:
    return Found.from_text("", text).kind == "absent"


def _strip(names: Collection[str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _differs(found: Found, wanted: FileState) -> bool:
    if wanted.content is None:
        return found.kind != "absent"
    return (
        found.kind != "file"
        or _content_differs(found, wanted)
        or wanted.mode not in (None, found.mode)
        or wanted.owner not in (None, found.owner)
    )


def _content_differs(found: Found, wanted: FileState) -> bool:
    if wanted.content is None or is_hidden(wanted.content):
        return False
    return found.kind != "file" or found.content != wanted.content.encode()


async def _write(node: Node, path: str, wanted: FileState, found: Found) -> None:
    if wanted.content is None:
        await remove_file(node, path)
        return
    mode = wanted.mode or found.mode or "0644"
    owner = wanted.owner or found.owner or "root:root"
    if _content_differs(found, wanted):
        await write_file(node, path, wanted.content, mode=mode, owner=owner, check=wanted.check)
    else:
        await set_attributes(node, path, mode=mode, owner=owner)


async def make_directories(node: Node, wanted: Mapping[str, str], found: Mapping[str, Found]) -> None:
    """Each path → ``mode owner``: made where nothing stands there, else given these. ``found``: what stands there."""
    for path in sorted(wanted):
        mode, owner = wanted[path].split(" ", 1)
        if found[path].kind == "absent":
            await node.run(script(_MAKE_DIRECTORY, path, mode, owner, label=f"make the directory {path}"))
        elif (found[path].mode, found[path].owner) != (mode, owner):
            await set_attributes(node, path, mode=mode, owner=owner)


async def _restore_directories(node: Node, before: Mapping[str, Found], found: Mapping[str, Found]) -> None:
    made = [path for path in sorted(before, reverse=True) if before[path].kind == "absent"]
    if any(found[path].kind == "directory" for path in made):
        label = f"remove the directories {' '.join(made)} if empty"
        await node.run(script(_REMOVE_DIRECTORIES, *made, label=label))
    for path, old in before.items():
        if old.kind == "directory" and found[path].kind == "directory" and found[path] != old:
            await set_attributes(node, path, mode=old.mode, owner=old.owner)


def _notices(units: Mapping[str, UnitState], paths: Collection[str]) -> dict[str, str]:
    """Which units have to notice that these paths changed, and how."""
    how = {f"{_PENDING}{name}": "reload" for name, unit in units.items() if set(unit.reload_on) & set(paths)}
    return how | {f"{_PENDING}{name}": "restart" for name, unit in units.items() if set(unit.restart_on) & set(paths)}


def _daemon(paths: Collection[str], units: Collection[UnitFound]) -> dict[str, str]:
    needed = any(path.startswith(_UNIT_PLACES) for path in paths) or any(unit.needs_reload for unit in units)
    return {_DAEMON: "yes"} if needed else {}


async def _pending(journal: Journal) -> dict[str, str]:
    return {name: text for name, text in (await journal.entries()).items() if name.startswith(_PENDING)}


async def _add_pending(journal: Journal, old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Both together; of restart and reload, the restart stays."""
    merged = old | {name: how for name, how in new.items() if old.get(name) != "restart"}
    if merged != old:
        await journal.put({name: how for name, how in merged.items() if old.get(name) != how})
    return merged


async def _reload_if(node: Node, pending: Mapping[str, str]) -> None:
    if _DAEMON in pending:
        await reload_units(node)


async def _bring(node: Node, now: UnitFound, wanted: UnitState, notice: str) -> None:
    """One unit to what is wanted: stopped before it is masked, enabled before it is started."""
    if wanted.active == "inactive" and now.state != "inactive":
        await _stop(node, now)
    if wanted.enabled is not None:
        await set_enabled(node, now, wanted.enabled)
    if wanted.active == "active" and now.state != "active":
        await _start(node, now)
    elif notice and now.state == "active" and wanted.active != "inactive":
        await act(node, notice, now.name)


async def _start(node: Node, now: UnitFound) -> None:
    if now.state == "failed":
        await node.run(command("systemctl", "reset-failed", "--", now.name, ok=None))
    await act(node, "start", now.name)


async def _stop(node: Node, now: UnitFound) -> None:
    await act(node, "stop", now.name)
    await node.run(command("systemctl", "reset-failed", "--", now.name, ok=None))


async def _quieten(node: Node, before: Mapping[str, UnitFound], now: Mapping[str, UnitFound]) -> None:
    """Stop what did not run before, while its files are still there; what did not exist is disabled as well."""
    for name, old in before.items():
        if now[name].exists and old.state != "active" and now[name].state == "active":
            await _stop(node, now[name])
        if now[name].exists and not old.exists and now[name].enabled in ("enabled", "masked"):
            await set_enabled(node, now[name], "disabled")


async def _restore_units(node: Node, before: Mapping[str, UnitFound], pending: Mapping[str, str]) -> None:
    current = await read_units(node, list(before))
    for name, old in before.items():
        if old.exists and current[name].exists:
            active = "active" if old.state == "active" else "inactive"
            wanted = UnitState.model_validate({"enabled": old.enabled or None, "active": active})
            await _bring(node, current[name], wanted, pending.get(f"{_PENDING}{name}", ""))


async def _tell(node: Node, units: Mapping[str, UnitState], pending: Mapping[str, str]) -> None:
    """Have units notice what changed: those that stay, and those that are not ours."""
    noticing = [name for name in units if f"{_PENDING}{name}" in pending]
    for name, now in (await read_units(node, noticing)).items():
        await _bring(node, now, units[name], pending[f"{_PENDING}{name}"])


def unit_text(unit: UnitFound) -> str:
    """For the journal: all that is needed to bring it back."""
    return json.dumps({"exists": unit.exists, "enabled": unit.enabled, "active": unit.state})


class _Journalled(BaseModel):
    exists: bool
    enabled: Enabled | Literal[""]
    active: Active


def unit_from(name: str, text: str) -> UnitFound:
    """What `unit_text` wrote. Raises `Unknown` for anything else: a unit is not brought back by guessing."""
    try:
        read = _Journalled.model_validate_json(text)
    except ValidationError:
        raise not_understood(f"what the journal says of {name}") from None
    return UnitFound(name, read.exists, read.enabled, read.active, "", needs_reload=False)
