"""Makes a scenario's steps real, and keeps what was seen. It ends with everything undone, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from operations.drill.clients import Clients
from operations.drill.disturbances import Disturbance
from operations.drill.eyes import Eyes
from operations.drill.hands import Hands, StillArmed
from operations.drill.interruptible import to_its_end
from operations.drill.model import Finding, FindingName, Moment, Sample
from operations.drill.steps import (
    Crash,
    Disturb,
    Fenced,
    Mark,
    Move,
    Served,
    Stand,
    Stays,
    Step,
    Steps,
    Undo,
    Unserved,
    WaitFor,
)
from operations.proof.model import Move as Moved
from operations.proof.model import Request
from providers.connection.errors import HostError, NotVerified, Unforeseen, in_a_line

T = TypeVar("T")

PAUSE = 1.0
"""Seconds between two looks at the service."""
AFTER = 10
"""Answers that clients get when all is over."""
CALM = 60.0
"""Seconds that one who has interrupted a drill waits for the cluster to be whole."""
BEGUN = 20.0
"""Seconds that one who interrupts a disturbance while it begins waits for it; filling a disk takes longer, and is ended
by its undo."""
CLEAR_AGAIN = 15.0


@dataclass
class Course:
    """What was seen of one scenario."""

    started: float = 0.0
    disturbed: float | None = None
    """When the first disturbance, or the first move, began."""
    repaired: float | None = None
    """When the last disturbance was over."""
    crashes: list[float] = field(default_factory=list[float])
    moments: list[Moment] = field(default_factory=list[Moment])
    samples: list[Sample] = field(default_factory=list[Sample])
    moves: list[Moved] = field(default_factory=list[Moved])
    stays: list[tuple[float, str | None]] = field(default_factory=list["tuple[float, str | None]"])
    """From when on the service had to be where; None: it may move."""
    fenced: dict[str, bool | None] = field(default_factory=dict[str, bool | None])
    requests: list[Request] = field(default_factory=list[Request])
    findings: list[Finding] = field(default_factory=list[Finding])
    last: Stand = field(default_factory=Stand)
    ended: float = 0.0

    def find(self, name: FindingName, detail: str) -> None:
        """Note why the scenario is red."""
        self.findings.append(Finding(name=name, detail=detail))


class Missed(Exception):
    """A deadline was missed; the finding is noted."""


class Runner:
    """Runs one scenario. ``settle``: seconds for the cluster to be whole again at the end."""

    def __init__(
        self,
        eyes: Eyes,
        hands: Hands,
        clients: Clients,
        *,
        settle: float,
        progress: Callable[[str], None],
        pause: float = PAUSE,
    ) -> None:
        self._eyes = eyes
        self._hands = hands
        self._clients = clients
        self._settle = settle
        self._progress = progress
        self._pause = pause
        self._broken: list[Disturbance] = []
        self._news = asyncio.Event()
        self._course = Course(started=time.time(), last=Stand(trouble="nobody has looked yet"))

    async def run(self, steps: Steps) -> Course:
        """Run to the end; what goes wrong on the way is a finding. Clients are started and stopped by the caller.

        Cancelled, it repairs (or ends the repair that is under way), waits a while for the cluster to be whole, and
        ends as cancelled. Raises `NotVerified` then with what could not be undone, or is not as before.
        """
        watching = asyncio.create_task(self._watch())
        try:
            try:
                await self._steps(steps)
            except Missed:
                pass
            except HostError as trouble:
                self._find("went wrong", trouble)
            finally:
                steps.close()
                await to_its_end(self._repair())
            await self._end(self._settle)
            await self._answered_after()
        except asyncio.CancelledError:
            left = [each.detail for each in self._course.findings if each.name == "left behind"]
            if why := await self._end(min(self._settle, CALM)):
                left.append(f"the cluster is not whole again: {why}")
            if left:
                raise NotVerified("; ".join(left), remedy="see `squid-ha status`, and docs/drill.md") from None
            raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self._course.ended = time.time()
        return self._course

    async def _answered_after(self) -> None:
        with contextlib.suppress(Missed):
            await self._served(AFTER, self._settle)

    async def _steps(self, steps: Steps) -> None:
        step = next(steps, None)
        while step is not None:
            await self._do(step)
            try:
                step = steps.send(self._course.last)
            except StopIteration:
                return

    async def _do(self, step: Step) -> None:
        match step:
            case Mark(text):
                self._mark(text)
            case Disturb(disturbance):
                await self._disturb(disturbance)
            case Undo():
                await self._undo_last()
            case Move(to):
                await self._move(to)
            case Stays(node):
                self._course.stays.append((time.time(), node))
            case Crash(node):
                self._course.crashes.append(time.time())
                self._mark(f"{node} is lost with what it had not written")
            case _:
                await self._until(step)

    async def _until(self, step: WaitFor | Served | Unserved | Fenced) -> None:
        match step:
            case WaitFor():
                await self._wait(step)
            case Served(times, limit):
                await self._served(times, limit)
            case Unserved(times, limit):
                await self._unserved(times, limit)
            case Fenced(node, limit):
                await self._fenced(node, limit)

    async def _disturb(self, disturbance: Disturbance) -> None:
        self._mark(disturbance.what)
        self._course.disturbed = self._course.disturbed or time.time()
        # Before it begins: where it is cut off half-way, it has to be undone too.
        self._broken.append(disturbance)
        await to_its_end(self._hands.begin(disturbance), None if disturbance.waited_for else BEGUN)

    async def _undo_last(self) -> None:
        disturbance = self._broken[-1]
        self._mark(f"undone: {disturbance.what}")
        await self._undo(disturbance)
        self._broken.remove(disturbance)

    async def _move(self, to: str) -> None:
        self._course.disturbed = self._course.disturbed or time.time()
        self._mark(f"the service is moved to {to}")
        self._course.stays.append((time.time(), None))
        # Whoever gives it up stops no move, and nobody would see its end and take away what it is done by.
        await to_its_end(self._moved(to))

    async def _moved(self, to: str) -> None:
        done = await self._hands.move(to)
        self._course.moves.append(done)
        self._mark(f"the service is on {done.arrived}")

    async def _wait(self, step: WaitFor) -> None:
        deadline = time.monotonic() + step.limit
        self._progress(f"waiting until {step.what}")
        while True:
            stand = await self._next(deadline, clocks=step.clocks)
            if step.holds(stand):
                self._mark(step.what)
                return
            if time.monotonic() > deadline:
                self._course.find(
                    "not reached", f"not within {step.limit:g} s: {step.what}; instead {stand_in_words(stand)}"
                )
                raise Missed
            if step.clocks:
                await asyncio.sleep(self._pause)

    async def _served(self, times: int, limit: float) -> None:
        enough, ended = await self._asked(lambda since: sum(each.answered for each in since) >= times, limit)
        if not enough:
            why = next((each.error or f"HTTP status {each.status}" for each in reversed(ended)), "none ended")
            self._course.find("not served", f"clients were not answered {times} times within {limit:g} s (last: {why})")
            raise Missed

    async def _unserved(self, times: int, limit: float) -> None:
        def in_a_row(ended: Sequence[Request]) -> bool:
            last = sorted(ended, key=lambda each: each.start)[-times:]
            return len(last) == times and not any(each.answered for each in last)

        if not (await self._asked(in_a_row, limit))[0]:
            self._course.find("not reached", f"clients were served on for {limit:g} s")
            raise Missed

    async def _asked(self, enough: Callable[[Sequence[Request]], bool], limit: float) -> tuple[bool, list[Request]]:
        """Whether the requests that began from here on were ``enough`` within the limit; and those requests."""
        since, deadline = time.time(), time.monotonic() + limit
        while True:
            told = await _by(deadline, self._read())
            ended = [each for each in told or [] if each.start >= since]
            if (done := enough(ended)) or time.monotonic() > deadline:
                return done, ended
            await asyncio.sleep(min(self._pause, 0.5))

    async def _read(self) -> list[Request]:
        try:
            return await self._clients.read()
        except HostError:
            # The node that they are on may be hard to reach for a while; they go on.
            return []

    async def _fenced(self, node: str, limit: float) -> None:
        deadline = time.monotonic() + limit
        since = self._course.disturbed or self._course.started
        while True:
            told = await _by(deadline, self._eyes.fenced(node, since, self._blind()))
            self._course.fenced[node] = self._course.fenced.get(node) if told is None else told
            if told or time.monotonic() > deadline:
                return
            await asyncio.sleep(self._pause)

    async def _repair(self) -> None:
        """Undo all that is still broken, the last first; one that cannot be undone keeps no other from it."""
        for disturbance in reversed(self._broken):
            self._progress(f"undoing: {disturbance.what}")
            try:
                await self._undo(disturbance)
            except HostError as trouble:
                by_hand = f" ({disturbance.by_hand} undoes it)" if disturbance.by_hand else ""
                self._find("left behind", trouble, f"{disturbance.what}, not undone{by_hand}: ")
                self._progress(f"NOT undone: {disturbance.what}: {in_a_line(trouble)}")
        self._broken.clear()

    async def _undo(self, disturbance: Disturbance) -> None:
        try:
            await self._hands.undo(disturbance)
        except StillArmed as trouble:
            self._find("left behind", trouble)
            self._progress(in_a_line(trouble))
        self._course.repaired = time.time()

    async def _end(self, limit: float) -> str:
        """Wait until all is as before, and have the engine forget what it was through; why it is not, as it finds."""
        deadline = time.monotonic() + limit
        self._progress("waiting until the cluster is whole again")
        clear_from, kept = 0.0, ""
        while True:
            stand = await self._next(deadline)
            if stand.healthy and not stand.notices:
                self._mark("the cluster is whole again")
                return ""
            if time.monotonic() > deadline:
                why = kept if self._course.last.notices else ""
                detail = f"not within {limit:g} s; instead {stand_in_words(stand)}{why}"
                self._course.find("not whole", detail)
                return detail
            if stand.notices and time.monotonic() > clear_from:
                told = await _by(deadline, self._clear())
                kept = "; whether that is forgotten could not be told by then" if told is None else told
                clear_from = time.monotonic() + CLEAR_AGAIN

    async def _clear(self) -> str:
        """Have the engine forget; why it does not, for a finding."""
        try:
            await self._hands.clear()
        except HostError as trouble:
            self._progress(in_a_line(trouble))
            return f"; that is not forgotten: {in_a_line(trouble)}"
        return ""

    async def _watch(self) -> None:
        """A look now and then, also while a step takes its time."""
        while True:
            await self._look()
            self._news.set()
            self._news = asyncio.Event()
            await asyncio.sleep(self._pause)

    async def _next(self, deadline: float, *, clocks: bool = False) -> Stand:
        """The stand of a look that is still to come; one of which nothing holds where none ends before the deadline."""
        found = await _by(deadline, self._look(clocks=True) if clocks else self._news_of_a_look())
        if found is not None:
            return found
        before = self._course.last
        seen = f" (seen {time.time() - before.time:.0f} s before)" if before.time else ""
        return Stand(trouble=stand_in_words(before) + seen)

    async def _news_of_a_look(self) -> Stand:
        await self._news.wait()
        return self._course.last

    async def _seen(self, *, clocks: bool) -> Stand:
        """A fault of this program is a trouble of the stand too: who waits for a look would wait for ever."""
        begun = time.time()
        try:
            return await self._eyes.look(self._blind(), clocks=clocks)
        except Exception as error:  # noqa: BLE001
            trouble = error if isinstance(error, HostError) else Unforeseen.of(error)
            return Stand(time=begun, trouble=in_a_line(trouble))

    async def _look(self, *, clocks: bool = False) -> Stand:
        stand = await self._seen(clocks=clocks)
        course = self._course
        if not stand.trouble:
            before = course.samples[-1] if course.samples else None
            if before is None or stand.time >= before.time:
                course.samples.append(Sample(time=stand.time, active=stand.active, whole=stand.whole))
        if stand.time >= course.last.time:
            course.last = stand
        return stand

    def _blind(self) -> frozenset[str]:
        """Nodes that cannot be asked, because the drill has cut them off."""
        return frozenset(each.node for each in self._broken if each.cut_off)

    def _mark(self, text: str) -> None:
        self._course.moments.append(Moment(time=time.time(), text=text))
        self._progress(text)

    def _find(self, name: FindingName, trouble: Exception, before: str = "") -> None:
        self._course.find(name, before + in_a_line(trouble))


async def _by(deadline: float, work: Awaitable[T]) -> T | None:
    """What ``work`` gives; None where it has not ended by then (by the monotonic clock)."""
    limit = asyncio.timeout(deadline - time.monotonic())
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        return None


def stand_in_words(stand: Stand) -> str:
    """A stand for people."""
    if stand.trouble:
        return stand.trouble
    where = f"it runs on {stand.active}" if stand.whole else f"it runs in parts ({stand.active or 'on no single node'})"
    parts = [f"{name} {state}" for name, state in stand.mirror.items()]
    missing = [] if stand.online is None else [f"online: {', '.join(sorted(stand.online)) or 'no node'}"]
    clocks = (
        [f"clocks off: {', '.join(sorted(stand.wrong_clocks)) or 'none'}"] if stand.wrong_clocks is not None else []
    )
    mirror = [f"the mirror: {', '.join(parts)}"] if parts else []
    return "; ".join([where, *mirror, *missing, *clocks, *stand.notices])
