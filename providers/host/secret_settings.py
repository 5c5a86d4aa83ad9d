"""Files and units of which some files hold secrets, and directories whose contents go with them: alerts.

Like `providers.host.settings_kind`, with inputs that hold digests where the nodes have secrets.
"""

from __future__ import annotations

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.contract import Absent, Observed, Present, State
from providers.host import changes, secret_files
from providers.host.secret_files import SecretFile
from providers.host.settings import (
    NodeSettings,
    converge_settings,
    prune_settings,
    read_settings,
    record_settings,
    remove_settings,
)
from providers.host.settings_kind import any_there, read_all

# Never through a link: below a directory that others may write to, its place may have been taken.
_EMPTY = r"""
for d; do [ -d "$d" ] && [ ! -L "$d" ] && find "$d" -xdev -mindepth 1 -delete; done; true
"""


class Wanted(State):
    """``nodes``: node → its files and units. ``secrets``: path → the secret that is the file's content.

    ``scratch`` are directories among those of the nodes; what is in them is this thing's own, and goes with it.
    """

    nodes: dict[str, NodeSettings]
    secrets: dict[str, SecretFile] = Field(default_factory=dict[str, SecretFile])
    scratch: list[str] = Field(default_factory=list[str])


sealed = secret_files.sealed


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Everything that is declared, as it is on each node; of secrets only their digests."""
    found = await read_all(cluster, wanted.nodes)
    values = wanted.model_copy(update={"nodes": found})
    return Present(values) if any_there(wanted.nodes, found) else Absent()


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001 read afresh
    """Files, secrets, and then the units; and take back what is no longer declared."""

    async def write(node: Node) -> None:
        settings = wanted.nodes[node.name]
        found = await read_settings(node, settings)
        stale = [path for path in wanted.secrets if found.files[path].content != settings.files[path].content]
        if stale:
            await record_settings(cluster, node, settings)
            changing = [path for path, file in settings.files.items() if found.files[path] != file]
            await changes.mark(cluster, node, settings, changing)
            # Their directories may not be there yet, and come with the files that are not secret.
            plain = {path: file for path, file in settings.files.items() if path not in wanted.secrets}
            early = settings.model_copy(update={"files": plain, "units": {}})
            await converge_settings(cluster, node, early, await read_settings(node, early), act_on_units=False)
        for path in stale:
            await secret_files.write(cluster, node, path, settings.files[path], wanted.secrets[path])
        await converge_settings(cluster, node, settings, await read_settings(node, settings))
        await prune_settings(cluster, node, settings)

    await cluster.each(write, list(wanted.nodes))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Bring back what was there before; what was made in its own directories goes."""

    async def take_back(node: Node) -> None:
        settings = wanted.nodes[node.name]
        if wanted.scratch and await cluster.journal(node).entries():
            # What fills them is stopped first.
            await prune_settings(cluster, node, NodeSettings(directories=settings.directories))
            await node.run(script(_EMPTY, *wanted.scratch, label=f"empty {' '.join(wanted.scratch)}"))
        await remove_settings(cluster, node, settings)

    await cluster.each(take_back, list(wanted.nodes))
