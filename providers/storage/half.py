"""One node's half of the mirror as it is now: file, disk, what runs, whose it is; read in one batch and the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command
from providers.host.settings import NodeSettings, read_settings
from providers.storage import configuration, device, drbd, status
from providers.storage.configuration import Configuration
from providers.storage.device import Disk
from providers.storage.marks import DISK, differs, is_marked, kept
from providers.storage.resource_file import SECRET
from providers.storage.status import Status
from providers.storage.views import read_status

if TYPE_CHECKING:
    from providers.storage.mirror import Wanted


@dataclass(frozen=True)
class Half:
    """``managed``: yes, no or unknown. ``pending``: verbs that would make what runs match its file.

    ``entries`` is the journal. ``marked``: it names this very disk, or this site's mirror runs on it; ``kept``: a
    former declaration left it.
    """

    settings: NodeSettings
    configuration: Configuration
    disk: Disk
    status: Status
    generation: str
    managed: str
    pending: frozenset[str]
    mounts: tuple[str, ...]
    module: bool
    entries: Mapping[str, str]
    marked: bool
    kept: bool

    @property
    def claimed(self) -> bool:
        """The resource file is this site's to write."""
        return configuration.CONFIGURATION in self.entries

    @property
    def untouched(self) -> bool:
        """Nothing of this mirror is on the node."""
        return self.configuration.file.content is None and not self.status.configured and not self.ours

    @property
    def ours(self) -> bool:
        """The disk carries metadata that this site made or adopted."""
        return self.disk.metadata and self.marked


def secret_file(settings: NodeSettings) -> str:
    """The path of the file that holds the secret: the one with its placeholder in it."""
    return next(path for path, state in settings.files.items() if SECRET in (state.content or ""))


def plain(settings: NodeSettings) -> NodeSettings:
    """All settings but the file with the secret."""
    path = secret_file(settings)
    others = {name: state for name, state in settings.files.items() if name != path}
    return settings.model_copy(update={"files": others})


async def read_halves(cluster: Cluster, wanted: Wanted) -> dict[str, Half]:
    """Every node's half, in the order of ``wanted``."""
    return await cluster.each(lambda node: _read(cluster, node, wanted), list(wanted.nodes))


async def read_statuses(cluster: Cluster, wanted: Wanted) -> dict[str, Status]:
    """Only what DRBD says, of every node; for waiting."""

    return await cluster.each(lambda node: read_status(node, wanted.resource), list(wanted.nodes))


async def _read(cluster: Cluster, node: Node, wanted: Wanted) -> Half:
    settings = wanted.nodes[node.name].settings
    path, disk_path = secret_file(settings), wanted.device_on(node.name)
    listed, signed, file, state, generation, managed, pending, mounts, module = await node.batch(
        _readings(wanted, disk_path, path)
    )
    live = await read_settings(node, plain(settings))
    found = configuration.parse(file.stdout)
    disk = device.parse(disk_path, wanted.volume, listed.stdout, signed.stdout)
    check = settings.files[path].check
    entries = await cluster.journal(node).entries()
    runs = status.parse(state.stdout, wanted.resource)
    mark = entries.get(DISK)
    # A disk that has grown, or whose serial number another hypervisor gives, is this site's as long as it runs on it.
    runs_on_it = runs.attached and configuration.CONFIGURATION in entries and bool(differs(disk.identity, mark))
    return Half(
        settings=live.model_copy(
            update={"files": {**live.files, path: found.file.model_copy(update={"check": check})}}
        ),
        configuration=found,
        disk=disk,
        status=runs,
        generation=generation.stdout.strip(),
        managed=managed.stdout.strip(),
        pending=frozenset(pending.stdout.split()),
        mounts=tuple(mounts.stdout.split()),
        module=module.exit_code == 0,
        entries=entries,
        marked=is_marked(disk.identity, mark) or runs_on_it,
        kept=is_marked(disk.identity, (await kept(cluster, node).entries()).get(disk_path)),
    )


def _readings(wanted: Wanted, disk: str, path: str) -> list[Command]:
    return [
        *device.read(disk),
        configuration.read(path),
        drbd.status(wanted.resource),
        drbd.generation(wanted.volume),
        drbd.managed(wanted.resource),
        drbd.pending(wanted.resource),
        command("findmnt", "--raw", "--noheadings", "--output", "TARGET", "--source", wanted.volume,
                ok=None, reads=True),
        command("test", "-d", "/sys/module/drbd", ok=None, reads=True),
    ]  # fmt: skip
