"""A walk over a site: requests at each stand, their records looked up, and moves between stands."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from declaration.site import Site
from operations.logs.place import local_log, mirror_log
from operations.proof import Proof, prove
from operations.proof.model import DENIED, LOGIN, SERVER_ERROR, Logs, Move, Request
from operations.status import Status, read_status
from operations.switchover import move
from operations.verify.model import Check
from operations.verify.records import Count, Records, count, find_records
from operations.verify.requests import Sender, Target
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, in_a_line
from providers.host.waiting import until

RECORDED_WITHIN = 10.0
"""Seconds until a record has to be in the log: Squid writes it when the request ends, after the client's last byte."""
REQUEST = "client's request"
AFTERWARDS = "service afterwards"


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
    home: str = ""
    """The node that the service left, or was to leave, and has not come back to; empty while it is there."""

    async def ask(self, active: str, number: int) -> None:
        """Send requests while ``active`` serves, and look for their records, and for those of before.

        A node whose logs cannot be read is a failed check, and so is a sender that cannot send.
        """
        self.active, before = active, len(self.requests)
        names = [f"{self.run}-{before + each}" for each in range(1, number + 1)]
        self.cluster.progress(f"{number} requests through {self.target}, from {self.sender.place}")
        sent = await self._send(names)
        self.requests += sent
        found = await self._recorded(active, sent)
        self._name(found.silent)
        if active not in found.silent:
            self._look_for(active, sent, found.logs)
        if before:
            self._look_again(active, self.requests[:before], found)

    async def move(self, to: str) -> bool:
        """Move the service; whether it arrived. What stopped it is in the check."""
        self.cluster.progress(f"moving the service from {self.active} to {to}")
        self.home = self.home or self.active
        try:
            done = await move(self.cluster, self.site, to)
        except HostError as trouble:
            way = f"{self.active} → {to}"
            self.checks.append(Check(name="switchover", where=way, passed=False, seen=in_a_line(trouble)))
            return False
        self.moves.append(done)
        if done.arrived == self.home:
            self.home = ""
        seen, way = f"took {done.end - done.start:.1f} s", f"{done.source} → {done.target}"
        self.checks.append(Check(name="switchover", where=way, passed=done.done, seen=seen))
        return done.done

    async def whereabouts(self) -> None:
        """After moves: where the service is now, as a check; nothing where it came back."""
        if not self.home:
            return
        try:
            check = left_at(await read_status(self.cluster, self.site), self.home)
        except HostError as trouble:
            seen = f"where it runs now cannot be told, and it ran on {self.home} before: {in_a_line(trouble)}"
            check = Check(name=AFTERWARDS, where="-", passed=False, seen=seen)
        self.cluster.progress(f"the service {check.seen}")
        self.checks.append(check)

    @contextmanager
    def telling(self) -> Generator[None]:
        """Around moves: whatever ends them, Ctrl-C included, does not leave the service elsewhere without a word."""
        try:
            yield
        except BaseException:
            if self.home:
                last = self.moves[-1].target if self.moves else self.home
                self.cluster.progress(
                    f"ended on the way: the service was last seen on {last}, and ran on {self.home} before; "
                    f"`squid-ha status STACK` tells where it is, `squid-ha switchover STACK --to {self.home}` moves it "
                    "back"
                )
            raise

    async def proof(self, active: str) -> Proof | None:
        """All requests against all records; None where there is no log on a mirror to hold them against.

        Neither where that log cannot be read now, which is a failed check.
        """
        if mirror_log(self.site) is None:
            return None
        found = await find_records(self.cluster, self.site, active, self.run)
        self._name(found.silent)
        return None if active in found.silent else prove(self.run, self.requests, self.moves, found.logs)

    async def _send(self, names: Sequence[str]) -> list[Request]:
        begun, place = time.time(), self.sender.place
        try:
            sent = await self.sender.send(self.target, names)
        except HostError as trouble:
            why = in_a_line(trouble, place)
            seen = f"0 of {len(names)} answered, because they could not be sent from {place}: {why}"
            self.checks.append(Check(name=REQUEST, where=str(self.target), passed=False, seen=seen))
            # Some of them may have gone out, and have records.
            return [Request(id=name, start=begun, end=time.time(), status=None, error=why) for name in names]
        self.checks.append(request_check(self.site, self.target, place, sent))
        return sent

    async def _recorded(self, active: str, sent: Sequence[Request]) -> Records:
        local, mirror = local_log(self.site), mirror_log(self.site)

        def there(found: Records) -> bool:
            logs = found.logs
            wanted = ([logs.local[active]] if local else []) + ([logs.mirror] if mirror else [])
            return active not in found.silent and not any(count(self.run, sent, lines).lost for lines in wanted)

        found, _ = await until(lambda: find_records(self.cluster, self.site, active, self.run), there, RECORDED_WITHIN)
        return found

    def _name(self, silent: Mapping[str, HostError]) -> None:
        """A failed check for each node whose logs could not be read; once for the same trouble."""
        for name, error in silent.items():
            seen = f"its logs could not be read: {in_a_line(error, name)}"
            check = Check(name="records", where=name, passed=False, seen=seen)
            if check not in self.checks:
                self.checks.append(check)

    def _look_for(self, active: str, sent: Sequence[Request], logs: Logs) -> None:
        if local := local_log(self.site):
            self._add("local log", active, count(self.run, sent, logs.local[active]), local)
        if mirror := mirror_log(self.site):
            self._add("mirror's log", active, count(self.run, sent, logs.mirror), mirror)

    def _look_again(self, active: str, earlier: Sequence[Request], found: Records) -> None:
        mirror = mirror_log(self.site)
        if not mirror:
            lines = [line for lines in found.logs.local.values() for line in lines]
            what = "records of before, on either node"
            self._add(what, active, count(self.run, earlier, lines), local_log(self.site) or "", found.silent)
        elif active not in found.silent:
            self._add("records of before", active, count(self.run, earlier, found.logs.mirror), mirror)

    def _add(self, name: str, node: str, found: Count, path: str, unread: Collection[str] = ()) -> None:
        self.checks.append(Check(name=name, where=node, passed=found.passed, seen=found.told(path, unread)))


def left_at(status: Status, home: str) -> Check:
    """Where the service is after a move that failed; good only where it runs whole on the node that it was on."""
    now = status.tree.active
    if now is None:
        seen = f"runs on no node now, and ran on {home} before; see `squid-ha status STACK`"
    elif not status.whole:
        seen = f"runs only in part, on {now}, and ran on {home} before; see `squid-ha status STACK`"
    elif now == home:
        seen = f"runs on {home}, where it ran before"
    else:
        seen = f"runs on {now} now, and ran on {home} before; `squid-ha switchover STACK --to {home}` moves it back"
    return Check(name=AFTERWARDS, where=now or "-", passed=status.whole and now == home, seen=seen)


def request_check(site: Site, target: Target, place: str, sent: Sequence[Request]) -> Check:
    """Whether the proxy served: any answer but its own refusals. A page that is not there (404) was fetched."""
    good = [request for request in sent if serves(site, request)]
    source = "" if place == "here" else f", sent from {place}"
    if len(good) == len(sent):
        slowest = max(request.end - request.start for request in sent)
        statuses = ", ".join(sorted({f"HTTP status {request.status}" for request in sent}))
        seen = f"{len(sent)} of {len(sent)} answered ({statuses}), the slowest in {slowest:.2f} s{source}"
        return Check(name=REQUEST, where=str(target), passed=True, seen=seen)
    why = why_not(target, next(request for request in sent if request not in good))
    seen = f"{len(good)} of {len(sent)} answered{source}: {why}"
    return Check(name=REQUEST, where=str(target), passed=False, seen=seen)


def serves(site: Site, request: Request) -> bool:
    """Whether the answer is one that a proxy gives that works as declared; one that asks for a login may be that."""
    return request.answered or (request.status == LOGIN and getattr(site.squid, "auth", None) is not None)


def why_not(target: Target, request: Request) -> str:
    """What to say of a request that was not served, and what to do."""
    if request.status is None:
        doubt = f", and does a web server run on {target.node}? If not, --url URL asks for another page"
        return f"{request.error}; is {target} reached from there{doubt if target.node else '?'}"
    if request.status == DENIED:
        return "HTTP status 403, the proxy does not allow this client; --from NODE sends from a node"
    if request.status >= SERVER_ERROR:
        what = f"HTTP status {request.status}, the proxy could not fetch {target.url}"
        if target.node:
            return f"{what} of {target.node} itself, where usually no web server runs; --url URL asks for another page"
        return f"{what}; --url URL asks for another page"
    return f"HTTP status {request.status}"
