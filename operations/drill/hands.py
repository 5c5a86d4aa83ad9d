"""Breaking and repairing: disturbances made real on the nodes, at the plug and by the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from declaration.site import Site
from operations import switchover
from operations.drill.armed import stop, timer_and_service
from operations.drill.disturbances import Aside, ByPlug, Disturbance, OnNode
from operations.drill.plug import Plug
from operations.engines import engine_of
from operations.mounted import NOT_MOUNTED
from operations.proof.model import Move
from providers.connection.cluster import Cluster
from providers.connection.command import Command, for_systemd, script
from providers.connection.errors import CommandFailed, HostError, Locked, NotVerified, Refused, in_a_line

TRY_AGAIN = 1.0
SLACK = 45.0
"""Seconds after a node's own undo was due until nobody waits for it any more."""

# $1 unit, $2 seconds, $3 script, then its arguments.
_AFTER = r"""
set -eu
unit=$1 seconds=$2 text=$3
shift 3
systemctl reset-failed "$unit.service" 2>/dev/null || :
systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" --timer-property=AccuracySec=100ms -- \
    /bin/sh -c "$text" sh "$@"
"""


class StillArmed(NotVerified):
    """All was repaired, and what the nodes are to undo by themselves is still to come; the message says why."""


class Hands(Protocol):
    """What the runner acts with."""

    async def begin(self, disturbance: Disturbance) -> None:
        """Arm the undo, then break. Raises `HostError`; then nothing is broken, or it undoes itself."""
        ...

    async def undo(self, disturbance: Disturbance) -> None:
        """Repair, and disarm; tried until it works or nothing is left to repair.

        Raises `StillArmed` where only disarming did not work, any other `HostError` where it is not repaired.
        """
        ...

    async def move(self, to: str) -> Move:
        """Move the service on purpose. Raises `HostError`."""
        ...

    async def clear(self) -> None:
        """Have the engine forget the failures that the drill has made. Raises `HostError`."""
        ...


class SiteHands:
    """The hands for a site's cluster."""

    def __init__(self, cluster: Cluster, site: Site, plug: Plug) -> None:
        self._cluster = cluster
        self._site = site
        self._plug = plug
        self._runtime = engine_of(site).runtime
        self._due: dict[str, float] = {}
        self._going_aside: set[str] = set()
        """Nodes that are being put aside, for all that is known here."""

    async def begin(self, disturbance: Disturbance) -> None:
        """Arm the undo, then break."""
        match disturbance:
            case OnNode():
                await self._begin_on_node(disturbance)
            case ByPlug():
                await self._plug.take(disturbance.action, disturbance.node)
            case Aside():
                await self._put_aside(disturbance)

    async def undo(self, disturbance: Disturbance) -> None:
        """Repair, and disarm."""
        match disturbance:
            case OnNode():
                if disturbance.delayed:
                    await self._call_off(disturbance)
                if disturbance.undo:
                    await self._undo_on_nodes(disturbance)
            case ByPlug():
                await self._plug.give(disturbance.action, disturbance.node)
            case Aside():
                await self._bring_back(disturbance)

    async def move(self, to: str) -> Move:
        """Move the service on purpose."""
        return await switchover.move(self._cluster, self._site, to)

    async def clear(self) -> None:
        """Have the engine forget the failures that the drill has made."""
        await self._runtime.cleanup(self._cluster)

    async def _begin_on_node(self, wanted: OnNode) -> None:
        node = self._cluster.node(wanted.node)
        if wanted.check:
            await node.run(wanted.checking)
        if wanted.undo:
            self._due[wanted.name] = time.monotonic() + wanted.lasts
            undo = _wherever_mounted(wanted.undo) if wanted.undone_on else wanted.undo
            for name in wanted.undone_on or (wanted.node,):
                await self._arm(name, wanted, undo, wanted.arguments)
        if wanted.delayed:
            await node.run(after(f"{wanted.unit}-start", wanted.delayed, wanted.start, wanted.arguments, wanted.what))
            # The node answers for a moment more; what comes after must not take that for the disturbance's end.
            await asyncio.sleep(wanted.delayed)
        else:
            await node.run(wanted.starting)

    async def _put_aside(self, wanted: Aside) -> None:
        for name, undo in (await self._runtime.way_back(self._cluster, wanted.node)).items():
            await self._arm(name, wanted, 'exec "$@"', undo.argv)
        self._going_aside.add(wanted.node)
        try:
            await self._runtime.aside(self._cluster, wanted.node)
        except (Refused, CommandFailed):
            # Nothing of it is under way any more. After any other error, or when called off, that is not known.
            self._going_aside.discard(wanted.node)
            raise
        self._going_aside.discard(wanted.node)

    async def _bring_back(self, done: Aside) -> None:
        await self._runtime.back(self._cluster, done.node)
        armed = list(await self._runtime.way_back(self._cluster, done.node))
        if done.node in self._going_aside:
            raise StillArmed(
                f"{done.what}: it was brought back, but the end of putting it aside was not seen, and may still come; "
                f"so {done.unit}.timer stays armed on {' and '.join(armed)}, to bring it back once more",
                remedy=f"see `squid-ha status`; if it is aside again, {done.by_hand} brings it back at once",
            )
        await self._disarm(done, armed, timer_and_service(done.unit), time.monotonic() + SLACK)

    async def _disarm(self, done: OnNode | Aside, names: Sequence[str], units: Sequence[str], deadline: float) -> None:
        """On each of these nodes. Raises `StillArmed` with those where it did not work."""
        left: list[str] = []
        for name in names:
            try:
                await self._repeat(name, stop(*units), deadline)
            except HostError as trouble:
                left.append(in_a_line(trouble))
        if left:
            raise StillArmed(
                f"{done.what}: undone, but {done.unit}.timer could not be stopped: {'; '.join(left)}",
                remedy=f"`systemctl stop {' '.join(timer_and_service(done.unit))}` there, or wait until it has run",
            )

    async def _arm(self, name: str, wanted: OnNode | Aside, undo: str, arguments: Sequence[str]) -> None:
        try:
            await self._cluster.node(name).run(
                after(wanted.unit, wanted.lasts, undo, arguments, f"the undo of: {wanted.what}")
            )
        except CommandFailed as failure:
            if "already" in failure.stderr:
                raise Refused(
                    "an earlier drill's undo is still to come here",
                    node=name,
                    remedy=f"wait for it, or run it: `systemctl start {wanted.unit}.service`",
                ) from failure
            raise

    async def _call_off(self, done: OnNode) -> None:
        """What was to start in a moment does not, or it would break the node again after its repair.

        A node that is cut off already has begun, and is repaired next.
        """
        call_off = stop(*timer_and_service(f"{done.unit}-start"))
        try:
            await self._cluster.node(done.node).run(replace(call_off, timeout=10.0))
        except CommandFailed:
            raise
        except HostError as trouble:
            self._cluster.progress(in_a_line(trouble))

    async def _undo_on_nodes(self, done: OnNode) -> None:
        last = max(self._due.get(done.name, 0.0), time.monotonic()) + SLACK
        while done.undone_on and not await self._undone_somewhere(done):
            # The mirror may be on its way from one node to the other.
            if time.monotonic() > last:
                raise NotVerified(f"{done.what}: on no node was there anything to undo", remedy="look for it by hand")
            await asyncio.sleep(TRY_AGAIN)
        if done.undone_on:
            await self._disarm(done, done.undone_on, timer_and_service(done.unit), last)
        else:
            await self._repeat(done.node, done.undoing, last)
            await self._disarm(done, [done.node], [f"{done.unit}.timer"], last)

    async def _undone_somewhere(self, done: OnNode) -> bool:
        """Try each node that it may have to be undone on; one that cannot be reached is none of them."""
        codes: list[int] = []
        for name in done.undone_on:
            try:
                codes.append((await self._cluster.node(name).run(done.undoing)).exit_code)
            except CommandFailed:
                raise
            except HostError as trouble:
                self._cluster.progress(in_a_line(trouble))
        return 0 in codes

    async def _repeat(self, name: str, wanted: Command, deadline: float) -> None:
        """Until the node can be reached again: when its own undo has come to pass, or after a boot, it can."""
        while True:
            try:
                await self._cluster.node(name).run(replace(wanted, timeout=min(wanted.timeout, 30.0)))
            except (CommandFailed, Locked):
                raise
            except HostError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(TRY_AGAIN)
            else:
                return


def _wherever_mounted(undo: str) -> str:
    """The script, tried for ten minutes while it says `NOT_MOUNTED`: the mirror is elsewhere, or on its way."""
    again = f'[ "$code" -eq {NOT_MOUNTED} ] && [ "$tries" -lt 60 ] || exit "$code"'
    return f"tries=0\nwhile :; do (\n{undo}\n)\ncode=$?; {again}; tries=$((tries + 1)); sleep 10; done"


def after(unit: str, seconds: float, text: str, arguments: Sequence[str], what: str) -> Command:
    """The command that has a node run a script of its own accord, some seconds from now."""
    words = for_systemd(text, *arguments)
    return script(_AFTER, unit, f"{seconds:g}s", *words, label=f"systemd-run --on-active={seconds:g}s ({what})")
