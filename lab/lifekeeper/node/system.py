"""One system of the cluster: its database, its links, and bringing resources into service and out of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lab.lifekeeper.node import CONFIG, kits, mirror, tree
from lab.lifekeeper.node.last import NETRAID, Notes
from lab.lifekeeper.node.lcd import ISP, OSF, OSU, Instance, Lcd, load
from lab.lifekeeper.node.links import Links, Message
from lab.lifekeeper.node.settings import switches
from lab.lifekeeper.node.shell import Failed

log = logging.getLogger("system")
Say = Callable[[str], None]
LCD_FILE = Path(CONFIG) / "lcd.json"


class System:
    """Writes one at a time: whoever brings anything into service or out of it holds ``busy``."""

    def __init__(self, name: str, file: Path = LCD_FILE, notes: Path = NETRAID) -> None:
        self.file = file
        self.notes = Notes(notes)
        self.lcd: Lcd = load(file, name)
        self.operations: dict[str, Callable[..., Any]] = {}
        self.links = Links(self.lcd, self._handle, self.told)
        self.busy = asyncio.Lock()
        self.left = False
        self.mishaps: Counter[tuple[float, str]] = Counter()

    def save(self) -> None:
        """Onto the disk, and soon to the others."""
        self.lcd.save(self.file)
        self.links.changed()

    def told(self) -> Message:
        """What every heartbeat carries."""
        instances = self.lcd.instances.values()
        mirrors = [each for each in instances if each.type == "netraid" and each.state == ISP]
        return {
            "states": {each.tag: each.state for each in instances},
            "mirrors": {each.tag: mirror.synchronised(each.kit) for each in mirrors},
            "owned": [each.tag for each in instances if each.type == "netraid" and self.notes.owned(each.tag)],
        }

    async def _handle(self, sender: str, op: str, values: Message) -> Message:
        return await self.operations[op](sender, **values) or {}

    def instance(self, tag: str) -> Instance:
        """Raises `Failed` (7) when there is none of that tag."""
        if tag not in self.lcd.instances:
            raise Failed(7, f'resource "{tag}" does not exist on {self.lcd.name}')
        return self.lcd.instances[tag]

    def states_on(self, system: str) -> dict[str, str]:
        """What another system told last of its resources."""
        return self.links.heard.get(system, {}).get("states", {})

    # Into service and out of it

    async def restore(self, tag: str, say: Say, *, left_by: str = "") -> None:
        """Bring a resource and all below it into service here, taken from where it is. Raises `Failed`.

        ``left_by`` has given it up already, waits for us, and is not asked.
        """
        self.instance(tag)
        todo = [each for each in tree.below(self.lcd.dependencies, tag) if self.lcd.instances[each].state != ISP]
        await self._take(todo, left_by)
        for each in todo:
            await self._start(self.lcd.instances[each], say)

    async def _take(self, tags: list[str], left_by: str) -> None:
        for system, lives in self.links.peers().items():
            there = [each.other_tag for each in self.lcd.equivalencies if each.system == system and each.tag in tags]
            if there and lives and system != left_by:
                given = await self.links.call(system, "give", tags=there)
                for each in self.lcd.equivalencies:
                    if each.system == system and each.other_tag in given["in_step"]:
                        self.lcd.instances[each.tag].kit["insync"] = "yes"

    def in_step(self, tags: list[str]) -> list[str]:
        """Of these, the mirrors whose source this is and whose target may take over now. Raises `Failed`."""
        mirrors = [each for tag in tags if (each := self.lcd.instances.get(tag)) and each.type == "netraid"]
        sources = [each for each in mirrors if each.state == ISP]
        for each in sources:
            if not mirror.synchronised(each.kit):
                why = f'mirror "{each.tag}" is still being synchronised from {self.lcd.name}: no target can take over'
                raise Failed(1, why)
        return [each.tag for each in sources]

    async def _start(self, each: Instance, say: Say) -> None:
        say(f'BEGIN restore of "{each.tag}"')
        try:
            if each.type == "netraid":
                await self._start_mirror(each)
            else:
                await kits.start(each)
        except Failed as failure:
            self.mark(each.tag, OSF, f"restore action has failed: {failure}")
            raise
        self.mark(each.tag, ISP, "restore action has succeeded")
        say(f'END successful restore of "{each.tag}"')

    async def _start_mirror(self, each: Instance) -> None:
        peers = [one.system for one in self.lcd.equivalencies if one.tag == each.tag]
        lives = [system for system in peers if self.links.alive(system)]
        _refuse_behind(each.kit)
        if (self.notes.doubted(each.tag) or each.kit.get("awaits") == "yes") and not lives:
            raise Failed(1, f"{' and '.join(peers)} has to be back first (or `mirror_action force`)")
        await mirror.withdraw(each.kit)
        await mirror.start(each.kit)
        each.kit.update(source="yes", insync="yes", awaits="no")
        self.notes.own(each.tag)
        for system in lives:
            await self.reattach(each, system)

    async def reattach(self, each: Instance, system: str) -> None:
        """Bring the other node's device into a mirror; a failure is only logged: the source goes on alone."""
        if each.kit.get("paused") == "yes":
            return
        try:
            await self.links.call(system, "offer", tag=each.tag)
            await mirror.attach(each.kit)
        except Failed as failure:
            log.warning("mirror %s goes on without %s: %s", each.tag, system, failure)

    async def remove(self, tag: str, say: Say) -> None:
        """Take a resource out of service here, and before it what depends on it. Raises `Failed`."""
        self.instance(tag)
        for each in tree.removal(self.lcd.dependencies, [tag]):
            if self.lcd.instances[each].state == ISP or each == tag:
                await self.stop(self.lcd.instances[each], say)

    async def stop(self, each: Instance, say: Say) -> None:
        """Take this one alone out of service. Raises `Failed`."""
        say(f'BEGIN remove of "{each.tag}"')
        if each.type == "netraid" and each.state == ISP:
            each.kit["insync"] = "yes" if mirror.synchronised(each.kit) else "no"
        try:
            await kits.stop(each)
        except Failed as failure:
            self.mark(each.tag, OSF, f"remove action has failed: {failure}")
            raise
        self.mark(each.tag, OSU, "remove action has succeeded")
        say(f'END successful remove of "{each.tag}"')

    async def leave(self, say: Say, *, keep: bool) -> None:
        """LifeKeeper ends here: take all out of service unless ``keep``, and tell the others. Once is enough."""
        if self.left:
            return
        self.left = True
        had = [tag for tag in tree.roots(self.lcd.dependencies, self.lcd.instances) if self._in_service(tag)]
        for each in self.lcd.instances.values():
            each.kit["resume"] = "yes" if each.state == ISP else "no"
        self.save()
        for tag in [] if keep else tree.removal(self.lcd.dependencies, list(self.lcd.instances)):
            if self.lcd.instances[tag].state == ISP:
                try:
                    await self.stop(self.lcd.instances[tag], say)
                except Failed as failure:
                    say(f"{tag}: {failure}")
        over = not keep and "shutdown_switchover" in self.lcd.flags
        for system, lives in self.links.peers().items():
            if lives:
                with contextlib.suppress(Failed):
                    await self.links.call(system, "leaving", tags=had if over else [])

    def _in_service(self, tag: str) -> bool:
        return self.lcd.instances[tag].state == ISP

    def mark(self, tag: str, state: str, reason: str) -> None:
        """Note a state."""
        log.info("%s is %s: %s", tag, state, reason)
        self.lcd.instances[tag].state, self.lcd.instances[tag].reason = state, reason
        self.save()

    # The admin lock

    def locks(self) -> list[str]:
        """The admin locks that are held, here or for the whole cluster."""
        held = [flag for flag in self.lcd.flags if flag.startswith("!action!")]
        if "busy" in switches():
            held.append(f"!action!1!{int(time.time())}!{self.lcd.name}:switch")
        return held

    @asynccontextmanager
    async def admin(self, what: str, pid: int | None = None) -> AsyncGenerator[None]:
        """Hold the cluster's admin lock. Raises `Failed` at once when somebody holds it (its code is unknown)."""
        if held := self.locks():
            raise Failed(1, f"Admin Lock is held: {held[0]}")
        flag = f"!action!{pid or os.getpid()}!{int(time.time())}!{self.lcd.name}:{what}"
        peers = [system for system, lives in self.links.peers().items() if lives]
        self.lcd.flags.append(flag)
        try:
            for system in peers:
                await self.links.call(system, "lock", flag=flag)
            async with self.busy:
                yield
        finally:
            if flag in self.lcd.flags:
                self.lcd.flags.remove(flag)
            for system in peers:
                if self.links.alive(system):
                    await self.links.call(system, "unlock", flag=flag)


def _refuse_behind(kit: dict[str, str]) -> None:
    if kit.get("source", "yes") != "yes" and kit.get("insync") != "yes":
        raise Failed(1, "the data here is not in step with the last source's")
