"""Reading a run's lines out of a site's logs, rotated and compressed ones included. Only these lines travel."""

from __future__ import annotations

from blueprint import paths
from blueprint.platforms import PLATFORMS
from declaration.site import Site
from operations.proof.model import LogLine, Logs
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script
from providers.connection.errors import Refused, Unknown

_NOT_MOUNTED = 32

# $1: the log, $2: text to look for, $3: mount point that must be mounted, or empty. Prints file, NUL, line.
_FIND = r"""
set -eu
if [ -n "$3" ] && ! mountpoint -q -- "$3"; then exit 32; fi
find_in() { grep -aHZF --label="$1" -e "$2" || [ $? -eq 1 ]; }
for file in "$1"*; do
    [ -f "$file" ] || continue
    case $file in
        *.gz) gzip -t -- "$file"; gzip -dc -- "$file" | find_in "$file" "$2" ;;
        *) find_in "$file" "$2" <"$file" ;;
    esac
done
"""


async def read_logs(cluster: Cluster, site: Site, active: str, run: str) -> Logs:
    """The lines of ``run`` in the mirror's log on the node ``active``, and in the local log of every node.

    Raises `Unknown` when the mirror is not mounted there, and `Unreachable` when a node does not answer.
    """
    if site.mirror is None:
        raise Refused("the site has no mirror, so there is no log to hold requests against")
    if site.log.access != "both":
        raise Refused(
            f"the access log is only {'local' if site.log.access == 'local' else 'on the mirror'}, so there are no two "
            "logs to hold requests against",
            remedy="declare `access: both` under `log`",
        )
    directory = PLATFORMS[site.platform].squid_log_directory
    local = search(f"{directory}/{site.log.local_file}", run)
    mirror = search(
        paths.mirror_log(site.mirror.mount_point, site.log.mirror_file), run, mounted=site.mirror.mount_point
    )

    async def read(node: Node) -> list[list[LogLine]]:
        commands = [local, mirror] if node.name == active else [local]
        results = await node.batch(commands)
        if results[-1].exit_code == _NOT_MOUNTED:
            raise Unknown("the mirror is not mounted here, though the service is said to run here", node=node.name)
        return [parse(result.stdout) for result in results]

    found = await cluster.each(read)
    return Logs(active=active, mirror=found[active][1], local={node: lists[0] for node, lists in found.items()})


def search(log: str, run: str, mounted: str = "") -> Command:
    """The command that finds a run's lines in ``log`` and what was rotated out of it; `parse` reads its output."""
    ok = {0, _NOT_MOUNTED} if mounted else {0}
    return script(
        _FIND, log, f"/r/{run}-", mounted, ok=ok, timeout=120, label=f"search of {log}* for {run}", reads=True
    )


def parse(output: str) -> list[LogLine]:
    """What `search` printed."""
    lines: list[LogLine] = []
    for each in output.split("\n"):
        file, separator, text = each.partition("\0")
        if separator:
            lines.append(LogLine(file=file, text=text))
    return lines
