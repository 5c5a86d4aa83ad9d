"""Settings of the kernel that Squid's configuration needs, as they are now; for the next start a file holds them.

Facts: sysctl(8); a name's dots are the slashes of its path below ``/proc/sys``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script

_ENTRY = "kernel "
_READ = r"""
for path; do
    if [ -r "$path" ]; then cat "$path"; else echo; fi
done
"""
_WRITE = r"""
printf '%s\n' "$2" >"$1"
"""


async def read(node: Node, names: Sequence[str]) -> dict[str, str | None]:
    """The value of each setting; None where the kernel has none of this name."""
    if not names:
        return {}
    (result,) = await node.batch([_reading(names)])
    values = result.stdout.split("\n")
    return {name: values[index].strip() or None for index, name in enumerate(names)}


def _reading(names: Sequence[str]) -> Command:
    return script(_READ, *map(_path, names), reads=True, label=f"read {' '.join(names)}")


def _path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def names_of(entries: Mapping[str, str]) -> list[str]:
    """The settings that this site has set, out of its journal."""
    return [key.removeprefix(_ENTRY) for key in entries if key.startswith(_ENTRY)]


async def put_back(node: Node, values: Mapping[str, str | None]) -> None:
    """Set what differs from these values, which were read before."""
    live = await read(node, list(values))
    for name, value in values.items():
        if value is not None and live[name] != value:
            await _write(node, name, value)


async def converge(cluster: Cluster, node: Node, wanted: Mapping[str, str | None]) -> None:
    """Set what differs, and bring back what an earlier declaration set and this one does not name."""
    journal = cluster.journal(node)
    entries = await journal.entries()
    await _restore(
        cluster, node, {key: text for key, text in entries.items() if key.removeprefix(_ENTRY) not in wanted}
    )
    live = await read(node, list(wanted))
    for name, value in wanted.items():
        if value is not None and live[name] != value:
            await journal.record({f"{_ENTRY}{name}": live[name] or ""})
            await _write(node, name, value)


async def restore(cluster: Cluster, node: Node) -> None:
    """Bring back what was set before this site set anything."""
    await _restore(cluster, node, await cluster.journal(node).entries())


async def _restore(cluster: Cluster, node: Node, entries: Mapping[str, str]) -> None:
    made = {key: text for key, text in entries.items() if key.startswith(_ENTRY)}
    for key, before in made.items():
        if before:
            await _write(node, key.removeprefix(_ENTRY), before)
    if made:
        await cluster.journal(node).drop(list(made))


async def _write(node: Node, name: str, value: str) -> None:
    await node.run(script(_WRITE, _path(name), value, label=f"set {name} to {value}"))
