"""Reading a run's lines out of a site's logs, rotated and compressed ones included. Only these lines travel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from declaration.site import Site
from operations.logs.place import local_log, mirror_log
from operations.mounted import NOT_MOUNTED, ONLY_MOUNTED, require_mounted
from operations.proof.model import LogLine, Logs
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script
from providers.connection.errors import Refused

# $1: mount point that must be mounted, or empty, $2: the log, $3: text to look for. Prints file, NUL, line.
# What was compressed keeps the time of its last record (gzip(1)), and no run takes more than hours: archives of a busy
# proxy that are a day older would take minutes to search. A day, as on the mirror the other node's clock may have told.
_FIND = r"""
set -eu
exec 4>&1
find_in() { grep -aHZF --label="$1" -e "$2" || [ $? -eq 1 ]; }
find_in_compressed() {
    code=$({ { gzip -dc -- "$1" && echo 0 >&3 || echo $? >&3; } | find_in "$1" "$2" >&4; } 3>&1)
    [ "$code" -eq 0 ] || exit "$code"
}
for file in "$2"*; do
    [ -f "$file" ] || continue
    case $file in
        *.gz) [ -z "$(find "$file" -mmin -1440)" ] || find_in_compressed "$file" "$3" ;;
        *) find_in "$file" "$3" <"$file" ;;
    esac
done
"""

NodeLines = tuple[Sequence[LogLine], Sequence[LogLine]]
"""A run's lines in a node's local log, and in the mirror's."""


async def read_logs(cluster: Cluster, site: Site, active: str, run: str) -> Logs:
    """The lines of ``run`` in the mirror's log on the node ``active``, and in the local log of every node.

    Raises `Refused` for a site that does not write both, and what `read_node` raises.
    """
    if site.mirror is None:
        raise Refused("the site has no mirror, so there is no log to hold requests against")
    if site.log.access != "both":
        raise Refused(
            f"the access log is only {'local' if site.log.access == 'local' else 'on the mirror'}, so there are no two "
            "logs to hold requests against",
            remedy="declare `access: both` under `log`",
        )
    return await read_records(cluster, site, active, run)


async def read_records(cluster: Cluster, site: Site, active: str, run: str) -> Logs:
    """The same for any site: nothing of a log that it does not write. Raises what `read_node` does on any node."""
    return as_logs(active, cluster.nodes, await cluster.each(lambda node: read_node(node, site, active, run)))


async def read_node(node: Node, site: Site, active: str, run: str) -> NodeLines:
    """What the logs on this node have of ``run``: the mirror's is looked at on ``active`` only.

    Raises `Unknown` when the mirror is not mounted there, `Unreachable` when the node does not answer.
    """
    local, mirror = local_log(site), mirror_log(site) if node.name == active else None
    asked = [search(local, run)] if local else []
    asked += [search(mirror, run, mounted=site.mirror.mount_point)] if mirror and site.mirror else []
    results = await node.batch(asked) if asked else []
    require_mounted(node.name, results)
    lines = [parse(result.stdout) for result in results]
    return lines[0] if local else [], lines[-1] if mirror else []


def as_logs(active: str, nodes: Iterable[str], found: Mapping[str, NodeLines]) -> Logs:
    """What `read_node` found; nothing of a node that it was not found on."""
    nothing: NodeLines = ([], [])
    local = {name: found.get(name, nothing)[0] for name in nodes}
    return Logs(active=active, mirror=found.get(active, nothing)[1], local=local)


def search(log: str, run: str, mounted: str = "") -> Command:
    """The command that finds a run's lines in ``log`` and what was rotated out of it; `parse` reads its output."""
    ok = {0, NOT_MOUNTED} if mounted else {0}
    words, label = (mounted, log, f"/r/{run}-"), f"search of {log}* for {run}"
    return script(ONLY_MOUNTED + _FIND, *words, ok=ok, timeout=120, label=label, reads=True)


def parse(output: str) -> list[LogLine]:
    """What `search` printed."""
    lines: list[LogLine] = []
    for each in output.split("\n"):
        file, separator, text = each.partition("\0")
        if separator:
            lines.append(LogLine(file=file, text=text))
    return lines
