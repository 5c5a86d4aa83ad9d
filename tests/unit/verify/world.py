"""A pair that serves, records and moves as a real one does, some of whose nodes do not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from declaration.site import Site
from operations.proof.model import Request
from operations.verify.requests import Target
from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.errors import HostError, Refused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.roles import UP_TO_DATE, MirrorView

LOCAL = "/var/log/squid/access.log"
MIRROR = "/mnt/mirror/squid/access.log"
NODES = ("qsp-a", "qsp-b")


@dataclass
class Tree:
    """The service runs whole on ``active``."""

    active: str | None

    @property
    def states(self) -> Mapping[str, Mapping[str, str]]:
        return {"squid": {self.active: "Started"} if self.active else {}}


@dataclass
class Pair:
    """Also the engine: its runtime role. ``before(command, node)`` may raise whatever a host may.

    ``logs``: path → node or '' (the mirror) → names of requests in it. ``refuses``: why the service does not move.
    """

    site: Site
    active: str | None = "qsp-a"
    silent: set[str] = field(default_factory=set[str])
    refuses: Mapping[str, HostError] = field(default_factory=dict[str, HostError])
    before: Callable[[Command, str], None] = lambda _command, _node: None
    logs: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])
    moved: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])

    @property
    def runtime(self) -> Pair:
        return self

    @property
    def cluster(self) -> Cluster:
        names = [node.name for node in self.site.nodes if not node.away]
        return fake_cluster(*(FakeNode(name, self._answers(name)) for name in names), progress=self.told.append)

    def check_told(self, part: str) -> bool:
        """Whether the person in front of the screen was told this."""
        return any(part in text for text in self.told)

    # The engine

    async def tree(self, cluster: Cluster) -> Tree:
        return Tree(self.active)

    async def mirror(self, cluster: Cluster) -> Mapping[str, MirrorView]:
        return {
            name: MirrorView(trouble=f"{name}: no SSH connection")
            if name in self.silent
            else MirrorView("source", connected=True, data=UP_TO_DATE, peer_data=UP_TO_DATE)
            for name in cluster.nodes
        }

    async def active_node(self, cluster: Cluster) -> str | None:
        return self.active

    async def switchover(self, cluster: Cluster, to: str) -> None:
        if to in self.silent:
            raise Refused("this node cannot take the service over now", node=to)
        if to in self.refuses:
            raise self.refuses[to]
        self.moved.append(to)
        self.active = to

    # The hosts

    def _answers(self, node: str) -> Callable[[Command], Result | str]:
        def answer(command: Command) -> Result | str:
            if node in self.silent:
                raise Unreachable("no SSH connection", node=node)
            self.before(command, node)
            if command.argv[0] == "date":
                return f"{time.time()}\n"
            for path in (LOCAL, MIRROR):
                if path in command.argv:
                    names = self.logs.get((path, node if path == LOCAL else ""), [])
                    return "".join(f"{path}\0GET http://192.0.2.1/r/{name} -\n" for name in names)
            return ""

        return answer

    # The client

    def record(self, names: Sequence[str]) -> None:
        """What Squid does with requests."""
        for path, node in ((LOCAL, self.active or ""), (MIRROR, "")):
            self.logs.setdefault((path, node), []).extend(names)


@dataclass
class Client:
    """In the place of requests from here: all are answered with ``status``, and recorded."""

    pair: Pair
    status: int = 200
    place: str = "here"

    def __call__(self, **_timeout: float) -> Client:
        return self

    async def send(self, target: Target, names: Sequence[str]) -> list[Request]:
        counted = [name for name in names if "x-" not in name]
        self.pair.record(counted)
        now = time.time()
        return [Request(id=name, start=now, end=now + 0.01, status=self.status) for name in names]
