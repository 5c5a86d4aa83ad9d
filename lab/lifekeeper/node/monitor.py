"""What happens without a command: start, health of what is in service, takeover, return."""

from __future__ import annotations

import asyncio
import logging
import time

from lab.lifekeeper.node import kits, mirror, tree
from lab.lifekeeper.node.lcd import ISP, OSF, OSU, Equivalency, Instance
from lab.lifekeeper.node.settings import number
from lab.lifekeeper.node.shell import Failed
from lab.lifekeeper.node.system import System

log = logging.getLogger("monitor")


async def begin(system: System) -> None:
    """At the start of LifeKeeper: what was in service here comes back, unless another system has it by now."""
    lcd = system.lcd
    had = [each.tag for each in lcd.instances.values() if each.state == ISP or each.kit.get("resume") == "yes"]
    for tag in had:
        lcd.instances[tag].state = OSU
    for each in lcd.instances.values():
        each.kit["resume"] = "no"
    await _others(system)
    if not any(system.links.peers().values()):
        _doubt(system)
    wanted = [tag for tag in had if lcd.instances[tag].initialize != "INIT_OSU" and not _elsewhere(system, tag)]
    wanted = [tag for tag in wanted if not _contested(system, tag)]
    tops = [tag for tag in wanted if not any(tag != up and tree.is_below(lcd.dependencies, up, tag) for up in wanted)]
    system.save()
    for tag in tops:
        await bring(system, tag)


def _doubt(system: System) -> None:
    """Nobody else is heard: a mirror comes up only when its other half is, or is forced."""
    for each in system.lcd.extended():
        if system.lcd.instances[each.tag].type != "netraid":
            continue
        if system.notes.owned(each.tag):
            system.notes.doubt(each.tag)
        else:
            system.lcd.instances[each.tag].kit["awaits"] = "yes"


def _contested(system: System, tag: str) -> bool:
    """Whether a mirror of this hierarchy was last the source on both: what LifeKeeper does about it is unknown.

    Here neither comes up by itself.
    """
    below = set(tree.below(system.lcd.dependencies, tag))
    both = [each.tag for each in system.lcd.extended() if each.tag in below and _owned_twice(system, each)]
    for each in both:
        log.warning("mirror %s was last in service here, and elsewhere: it is brought into service nowhere", each)
    return bool(both)


def _owned_twice(system: System, each: Equivalency) -> bool:
    there = system.links.heard.get(each.system, {}).get("owned", [])
    return system.notes.owned(each.tag) and each.other_tag in there


def _elsewhere(system: System, tag: str) -> bool:
    same = [each for each in system.lcd.equivalencies if each.tag == tag]
    return any(system.states_on(each.system).get(each.other_tag) == ISP for each in same)


async def _others(system: System) -> None:
    """Wait until all others have said what they have in service, or as long as a dead path takes to be noticed."""
    deadline = time.monotonic() + number("LCMHBEATTIME") * number("LCMNUMHBEATS")
    while not all(system.links.heard.get(each) for each in system.lcd.systems):
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.1)


async def bring(system: System, tag: str) -> None:
    """Bring a hierarchy into service; a failure is logged, and stands as the resource's reason."""
    async with system.busy:
        try:
            await system.restore(tag, log.info)
        except Failed as failure:
            log.warning("%s cannot be brought into service: %s", tag, failure)


async def follow(system: System) -> None:
    """Other systems going and coming back, for ever."""
    while True:
        event, name = await system.links.events.get()
        log.info("%s is %s", name, event)
        try:
            await (_gone if event == "gone" else _back)(system, name)
        except Failed as failure:
            log.warning("%s is %s: %s", name, event, failure)


async def _gone(system: System, name: str) -> None:
    lcd = system.lcd
    states = system.states_on(name)
    lcd.flags[:] = [flag for flag in lcd.flags if not (flag.startswith("!action!") and f"!{name}:" in flag)]
    system.links.heard.pop(name, None)
    if f"!nofailover!{name}" in lcd.flags:
        return
    for tag in tree.takeover(lcd.instances, lcd.dependencies, lcd.extended(), name, states):
        log.warning("failover of %s from %s", tag, name)
        await bring(system, tag)


async def _back(system: System, name: str) -> None:
    lcd = system.lcd
    if (flag := f"!nofailover!{name}") in lcd.flags:
        lcd.flags.remove(flag)
        system.save()
    states = system.states_on(name)
    for each in lcd.extended():
        if each.system == name and lcd.instances[each.tag].state == ISP and states.get(each.other_tag) == ISP:
            # What LifeKeeper does about it is unknown; nothing is done here.
            log.warning("split brain: %s is in service here and on %s", each.tag, name)
    for tag in tree.switchbacks(lcd.instances, lcd.dependencies, lcd.extended(), name, states):
        log.info("switchback of %s from %s", tag, name)
        await bring(system, tag)
    for each in list(lcd.instances.values()):
        if each.type != "netraid":
            continue
        each.kit["awaits"] = "no"
        if system.notes.doubted(each.tag) and not _contested(system, each.tag):
            system.notes.trust(each.tag)
            if each.state != ISP and states.get(each.tag) != ISP:
                for root in tree.above(lcd.dependencies, each.tag)[:1]:
                    await bring(system, root)


async def watch(system: System) -> None:
    """Check what is in service, every LKCHECKINTERVAL seconds (0: never), for ever."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.5)
        _learn(system)
        interval = number("LKCHECKINTERVAL")
        if interval == 0 or time.monotonic() - last < interval:
            continue
        last = time.monotonic()
        for root in tree.roots(system.lcd.dependencies, dict(system.lcd.instances)):
            for tag in tree.below(system.lcd.dependencies, root):
                each = system.lcd.instances.get(tag)
                if each is not None and each.state == ISP:
                    await _check(system, each)


def _learn(system: System) -> None:
    """What the sources tell about mirrors whose other half is here."""
    for each in system.lcd.extended():
        told = system.links.heard.get(each.system, {}).get("mirrors", {}).get(each.other_tag)
        own = system.lcd.instances[each.tag]
        if own.type != "netraid" or own.state == ISP or told is None:
            continue
        if own.kit.get("insync") != (word := "yes" if told else "no"):
            own.kit["insync"] = word
            system.save()


async def _check(system: System, each: Instance) -> None:
    async with system.busy:
        if not _in_service(system, each):
            return
        if await kits.healthy(each):
            await _rejoin(system, each)
            return
        log.warning("quickCheck of %s failed: local recovery", each.tag)
        try:
            await kits.recover(each)
            if await kits.healthy(each):
                log.info("local recovery of %s succeeded", each.tag)
                return
        except Failed as failure:
            log.warning("local recovery of %s failed: %s", each.tag, failure)
    await _fail_over(system, each)


def _in_service(system: System, each: Instance) -> bool:
    """Still: it may have been taken out of service, or deleted, by whoever was busy until now."""
    return system.lcd.instances.get(each.tag) is each and each.state == ISP


async def _rejoin(system: System, each: Instance) -> None:
    if each.type != "netraid" or mirror.attached(each.kit):
        return
    for one in system.lcd.equivalencies:
        if one.tag == each.tag and system.links.alive(one.system):
            await system.reattach(each, one.system)


async def _fail_over(system: System, each: Instance) -> None:
    lcd = system.lcd
    async with system.busy:
        if not _in_service(system, each):
            return
        roots = tree.roots(lcd.dependencies, lcd.instances)
        tops = [tag for tag in tree.above(lcd.dependencies, each.tag) if tag in roots]
        for tag in tree.removal(lcd.dependencies, tree.whole(lcd.dependencies, each.tag)):
            if lcd.instances[tag].state == ISP:
                try:
                    await system.stop(lcd.instances[tag], log.info)
                except Failed as failure:
                    log.warning("%s: %s", tag, failure)
        system.mark(each.tag, OSF, "local recovery has failed")
    for peer in {one.system for one in lcd.equivalencies if one.tag == each.tag and system.links.alive(one.system)}:
        log.warning("failover of %s to %s", ", ".join(tops), peer)
        try:
            await system.links.call(peer, "take", tags=tops)
        except Failed as failure:
            log.warning("failover to %s: %s", peer, failure)
