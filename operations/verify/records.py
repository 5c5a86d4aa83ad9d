"""The records of requests in a site's logs: the local one of each node, and the mirror's on the active node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from blueprint.logs import squid_logs
from declaration.site import Site
from operations.proof.count import ids_of
from operations.proof.model import LogLine, Logs, Request
from operations.proof.read import parse, search
from operations.verify.asking import ask, require_all
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, Unknown

_NOT_MOUNTED = 32
_SHOWN = 3


@dataclass(frozen=True)
class Places:
    """Where the access log is written; None where it is not."""

    local: str | None
    mirror: str | None


def places(site: Site) -> Places:
    """Of several logs the first one on each side, which is the main access log."""
    below = f"{site.mirror.mount_point}/" if site.mirror is not None else None
    paths = [log.path for log in squid_logs(site).access]
    local = next((path for path in paths if below is None or not path.startswith(below)), None)
    mirror = next((path for path in paths if below is not None and path.startswith(below)), None)
    return Places(local, mirror)


@dataclass(frozen=True)
class Records:
    """The lines of a run as far as they could be read; ``silent``: node → why its own could not, and are empty."""

    logs: Logs
    silent: Mapping[str, HostError]


async def read_records(cluster: Cluster, site: Site, active: str, run: str) -> Logs:
    """The lines of ``run`` in the logs of all nodes, rotated and compressed files included.

    Raises `Unknown` when the mirror is not mounted on the node ``active``, `Unreachable` when a node does not answer.
    """
    found = await find_records(cluster, site, active, run)
    require_all(found.silent)
    return found.logs


async def find_records(cluster: Cluster, site: Site, active: str, run: str) -> Records:
    """The same of the nodes whose logs can be read: the mirror's log only on ``active``."""
    where = places(site)
    mounted = site.mirror.mount_point if site.mirror is not None else ""

    async def read(node: Node) -> tuple[list[LogLine], list[LogLine]]:
        here = where.mirror if node.name == active else None
        asked = [search(where.local, run)] if where.local else []
        asked += [search(here, run, mounted=mounted)] if here else []
        results = await node.batch(asked) if asked else []
        if any(result.exit_code == _NOT_MOUNTED for result in results):
            raise Unknown("the mirror is not mounted here, though the service is said to run here", node=node.name)
        lines = [parse(result.stdout) for result in results]
        return lines[0] if where.local else [], lines[-1] if here else []

    found = await ask(cluster, read)
    local = {name: found.told[name][0] if name in found.told else [] for name in cluster.nodes}
    mirror = found.told[active][1] if active in found.told else []
    return Records(Logs(active=active, mirror=mirror, local=local), found.silent)


@dataclass(frozen=True)
class Count:
    """Answered requests against the records of a log: those without any, and those with several."""

    expected: int
    lost: Sequence[str]
    doubled: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether there was something to count, and each has exactly one record."""
        return self.expected > 0 and not self.lost and not self.doubled

    def told(self, path: str, unread: Collection[str] = ()) -> str:
        """In words, of the log ``path``; on ``unread`` nodes, whose log could not be read, there may be more."""
        if not self.expected:
            return f"no request was answered, so there is no record to look for in {path}"
        found = self.expected - len(self.lost)
        text = f"{found} of {self.expected} requests have a record in {path}"
        if self.lost and unread:
            text += f"; the others may have theirs on {' and '.join(unread)}, whose log could not be read"
        lost: Sequence[str] = [] if unread else self.lost
        for what, names in (("without one", lost), ("with several", self.doubled)):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                text += f"; {what}: {', '.join(names[:_SHOWN])}{more}"
        return text


def count(run: str, requests: Sequence[Request], lines: Sequence[LogLine]) -> Count:
    """Every request that the proxy replied to has to have exactly one record."""
    times = Counter(ids_of(run, lines))
    expected = [request.id for request in requests if request.replied]
    return Count(
        len(expected),
        [name for name in expected if times[name] == 0],
        [name for name in expected if times[name] > 1],
    )
