"""The records of requests in a site's logs, as far as its nodes answer, and how they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from declaration.site import Site
from operations.proof.count import ids_of
from operations.proof.model import LogLine, Logs, Request
from operations.proof.read import as_logs, read_node
from operations.verify.asking import ask
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError

_SHOWN = 3


@dataclass(frozen=True)
class Records:
    """The lines of a run as far as they could be read; ``silent``: node → why its own could not, and are empty."""

    logs: Logs
    silent: Mapping[str, HostError]


async def find_records(cluster: Cluster, site: Site, active: str, run: str) -> Records:
    """The lines of ``run`` in the logs of the nodes whose logs can be read: the mirror's log only on ``active``."""
    found = await ask(cluster, lambda node: read_node(node, site, active, run))
    return Records(as_logs(active, cluster.nodes, found.told), found.silent)


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
