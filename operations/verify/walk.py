"""A walk over a site: requests at each stand, their records looked up, and moves between stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from declaration.site import Site
from operations.proof import Proof, prove
from operations.proof.model import Logs, Move, Request
from operations.switchover import move
from operations.verify.model import Check
from operations.verify.records import Count, count, places, read_records
from operations.verify.requests import DENIED, Sender, Target
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError
from providers.host.waiting import until

RECORDED_WITHIN = 10.0
"""Seconds until a record has to be in the log: Squid writes it when the request ends, after the client's last byte."""
_SERVER_ERROR = 500
_LOGIN = 407


@dataclass
class Walk:
    """Collects requests, moves and checks. ``run`` is the name of its requests."""

    cluster: Cluster
    site: Site
    sender: Sender
    target: Target
    run: str = field(default_factory=lambda: f"v{time.time_ns() // 1_000_000}")
    requests: list[Request] = field(default_factory=list[Request])
    moves: list[Move] = field(default_factory=list[Move])
    checks: list[Check] = field(default_factory=list[Check])
    active: str = ""
    """The node that served the last requests."""

    async def ask(self, active: str, number: int) -> None:
        """Send requests while ``active`` serves, and look for their records, and for those of before."""
        self.active, before = active, len(self.requests)
        names = [f"{self.run}-{before + each}" for each in range(1, number + 1)]
        self.cluster.progress(f"{number} requests through {self.target}, from {self.sender.place}")
        sent = await self.sender.send(self.target, names)
        self.requests += sent
        self.checks.append(request_check(self.site, self.target, self.sender.place, sent))
        where = places(self.site)
        logs = await self._recorded(active, sent)
        if where.local:
            found = count(self.run, sent, logs.local[active])
            self._add("local log", active, found, where.local)
        if where.mirror:
            self._add("mirror's log", active, count(self.run, sent, logs.mirror), where.mirror)
        if before:
            earlier = self.requests[:before]
            lines = logs.mirror if where.mirror else [line for lines in logs.local.values() for line in lines]
            what = "records of before" if where.mirror else "records of before, on either node"
            self._add(what, active, count(self.run, earlier, lines), where.mirror or where.local or "")

    async def move(self, to: str) -> bool:
        """Move the service; whether it arrived. What stopped it is in the check."""
        self.cluster.progress(f"moving the service from {self.active} to {to}")
        try:
            done = await move(self.cluster, self.site, to)
        except HostError as trouble:
            seen = " ".join(str(trouble).split())
            self.checks.append(Check(name="switchover", where=f"{self.active} → {to}", passed=False, seen=seen))
            return False
        self.moves.append(done)
        seen, way = f"took {done.end - done.start:.1f} s", f"{done.source} → {done.target}"
        self.checks.append(Check(name="switchover", where=way, passed=done.done, seen=seen))
        return done.done

    async def proof(self, active: str) -> Proof | None:
        """All requests against all records; None where there is no log on a mirror to hold them against."""
        if places(self.site).mirror is None:
            return None
        return prove(self.run, self.requests, self.moves, await read_records(self.cluster, self.site, active, self.run))

    async def _recorded(self, active: str, sent: Sequence[Request]) -> Logs:
        where = places(self.site)

        def there(logs: Logs) -> bool:
            wanted = ([logs.local[active]] if where.local else []) + ([logs.mirror] if where.mirror else [])
            return not any(count(self.run, sent, lines).lost for lines in wanted)

        logs, _ = await until(lambda: read_records(self.cluster, self.site, active, self.run), there, RECORDED_WITHIN)
        return logs

    def _add(self, name: str, node: str, found: Count, path: str) -> None:
        self.checks.append(Check(name=name, where=node, passed=found.passed, seen=found.told(path)))


def request_check(site: Site, target: Target, place: str, sent: Sequence[Request]) -> Check:
    """Whether the proxy served: any answer but its own refusals. A page that is not there (404) was fetched."""
    good = [request for request in sent if serves(site, request)]
    name, source = "client's request", "" if place == "here" else f", sent from {place}"
    if len(good) == len(sent):
        slowest = max(request.end - request.start for request in sent)
        statuses = ", ".join(sorted({f"HTTP status {request.status}" for request in sent}))
        seen = f"{len(sent)} of {len(sent)} answered ({statuses}), the slowest in {slowest:.2f} s{source}"
        return Check(name=name, where=str(target), passed=True, seen=seen)
    why = why_not(target, next(request for request in sent if request not in good))
    seen = f"{len(good)} of {len(sent)} answered{source}: {why}"
    return Check(name=name, where=str(target), passed=False, seen=seen)


def serves(site: Site, request: Request) -> bool:
    """Whether the answer is one that a proxy gives that works as declared; one that asks for a login may be that."""
    if request.status is None or request.status == DENIED or request.status >= _SERVER_ERROR:
        return False
    return request.status != _LOGIN or getattr(site.squid, "auth", None) is not None


def why_not(target: Target, request: Request) -> str:
    """What to say of a request that was not served, and what to do."""
    if request.status is None:
        return f"{request.error}; is {target} reached from there?"
    if request.status == DENIED:
        return "HTTP status 403, the proxy does not allow this client; --from NODE sends from a node"
    if request.status >= _SERVER_ERROR:
        return f"HTTP status {request.status}, the proxy could not fetch {target.url}; --url URL asks for another page"
    return f"HTTP status {request.status}"
