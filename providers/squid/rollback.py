"""A configuration that did not serve goes back to the one before, on all nodes: files, units, kernel, journal.

What the new declaration no longer names was taken back on the way to it, so that it comes back as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, NotVerified
from providers.connection.files import Found, read_files, restore_file
from providers.host import changes
from providers.host.settings import NodeSettings
from providers.host.systemd import UnitFound, act, read_units, reload_units, set_enabled
from providers.reconcile import is_begun
from providers.squid import kernel, probe

_UNIT_FILES = "/etc/systemd/system/"


@dataclass(frozen=True)
class Serving:
    """An active node before the change, or one since: the sockets that its Squid listened on before ('' for none).

    ``restart``: the change is one that its Squid does not take over while it runs.
    """

    node: Node
    listeners: str
    restart: bool = False

    @property
    def act(self) -> str:
        """What systemd is asked for."""
        return "restart" if self.restart else "reload"


@dataclass(frozen=True)
class Before:
    """A node before the change: what stood where it may have written, units, the kernel's settings, and the journal."""

    found: Mapping[str, Found]
    units: Mapping[str, UnitFound]
    kernel: Mapping[str, str | None]
    entries: Mapping[str, str]


async def read(node: Node, wanted: NodeSettings, settings: Collection[str], entries: Mapping[str, str]) -> Before:
    """All that the way to ``wanted`` and the kernel's ``settings`` may change on a node; ``entries``: its journal."""
    paths = dict.fromkeys([*wanted.files, *wanted.directories, *changes.paths_of(entries)])
    names = dict.fromkeys([*settings, *kernel.names_of(entries)])
    return Before(
        await read_files(node, list(paths)),
        await read_units(node, list(wanted.units)),
        await kernel.read(node, list(names)),
        entries,
    )


async def roll_back(
    cluster: Cluster,
    unit: str,
    port: str,
    probe_url: str,
    before: Mapping[str, Before],
    serving: Sequence[Serving],
    restart: Mapping[str, bool],
    failure: HostError,
) -> None:
    """Bring the old files back on all nodes, have Squid read them, and raise what happened. Never returns.

    ``restart``: whether a node's Squid does not take the change over while it runs.
    """
    cluster.progress("the old configuration comes back on all nodes")
    failed = await _bring_back(cluster, unit, port, probe_url, before, serving, restart)
    back = sorted(before.keys() - failed.keys())
    again = " and Squid serves with it again" if any(one.node.name in back for one in serving) else ""
    text = f"the old configuration is back on {', '.join(back)}{again}"
    where = "there"
    if failed:
        reasons = "; ".join(f"{name}: {each.message}" for name, each in failed.items())
        text = f"bringing the old configuration back failed as well: {reasons}" + (f"; {text}" if back else "")
        where = f"on {', '.join(failed)}"
    raise NotVerified(
        f"{failure.message}; {text}",
        node=failure.node,
        remedy=f"see Squid's cache.log and `journalctl -u {unit}` {where} for its reason",
    ) from failure


async def _bring_back(
    cluster: Cluster,
    unit: str,
    port: str,
    probe_url: str,
    before: Mapping[str, Before],
    serving: Sequence[Serving],
    restart: Mapping[str, bool],
) -> dict[str, HostError]:
    """Node → why that failed there. It stops on no other one: what is on a disk and what Squid has read shall agree.

    That holds where the cluster has started Squid meanwhile, too: it may have read what was there in between.
    """
    failed: dict[str, HostError] = {}

    async def restore(node: Node) -> bool:
        try:
            return await _restore(cluster, node, before[node.name])
        except HostError as error:
            failed[node.name] = error
            return False

    came_back = await cluster.each(restore, list(before))
    others = came_back.keys() - failed.keys() - {one.node.name for one in serving}
    meanwhile = [Serving(cluster.node(name), "", restart[name]) for name in sorted(others) if came_back[name]]
    for one in [*serving, *meanwhile]:
        if one.node.name not in failed:
            try:
                if one in serving or await _runs(one.node, unit):
                    await _serve_again(unit, port, probe_url, one, came_back=came_back[one.node.name])
            except HostError as error:
                failed[one.node.name] = error
    return failed


async def _runs(node: Node, unit: str) -> bool:
    return (await read_units(node, [unit]))[unit].state == "active"


async def _restore(cluster: Cluster, node: Node, before: Before) -> bool:
    """Returns whether files had to come back there."""
    # The journal first: what comes back is still this site's, to be taken back one day.
    kept = {name: text for name, text in before.entries.items() if not is_begun([name])}
    await cluster.journal(node).record(kept)
    now = await read_files(node, list(before.found))
    changed = [found for path, found in before.found.items() if now[path] != found]
    directories = {each.path: f"{each.mode} {each.owner}" for each in changed if each.kind == "directory"}
    await changes.make_directories(node, directories, now)
    for found in changed:
        await restore_file(node, found)
    if any(found.path.startswith(_UNIT_FILES) for found in changed):
        await reload_units(node)
    # Without an engine that has it yet, a Squid that is not enabled would be gone after a boot.
    for name, unit in (await read_units(node, list(before.units))).items():
        await set_enabled(node, unit, before.units[name].enabled)
    await kernel.put_back(node, before.kernel)
    return bool(changed)


async def _serve_again(unit: str, port: str, probe_url: str, one: Serving, *, came_back: bool) -> None:
    """See Squid serve with the old files; one that has read no others, as it runs, is left alone."""
    node = one.node
    before = await probe.listeners(node, port)
    running = await _runs(node, unit)
    untouched = running and before == one.listeners and not came_back
    if not untouched:
        await act(node, one.act if running else "start", unit)
    answer = await probe.serves(node, port, probe_url, not_by=before if running and not untouched else "")
    if answer.problem:
        raise NotVerified(f"Squid does not serve with its old configuration either: {answer.problem}", node=node.name)
