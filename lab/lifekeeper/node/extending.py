"""A hierarchy onto another system and off it, dependencies on all systems, deletion."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lab.lifekeeper.node import kits, mirror, service, tree
from lab.lifekeeper.node.context import Context, Values, command
from lab.lifekeeper.node.creating import mirror_info
from lab.lifekeeper.node.lcd import ISP, Equivalency, Instance
from lab.lifekeeper.node.shell import Failed
from lab.lifekeeper.node.writing import depend, refuse_automatic, undepend

LEFT_RUNNING = ("ip", "qsp", "app")
"""Kinds that a deletion leaves as they are; filesystems and mirrors go with what stands on them."""


@command(
    "lkcli resource extend ip", "lkcli resource extend qsp", "lkcli resource extend gen", "lkcli resource extend dk"
)
async def extend(run: Context, values: Values) -> None:
    """The whole hierarchy, over all its roots; what is on the other system already stays as it is."""
    tag, dest = values["tag"], values["dest"]
    run.system.instance(tag)
    members = [run.lcd.instances[each] for each in tree.whole(run.lcd.dependencies, tag)]
    there = {each.tag for each in run.lcd.equivalencies if each.system == dest}
    _may_extend(run, values, members, there)
    new = [each for each in members if each.tag not in there]
    switchback = str(values.get("switchback", "intelligent")).upper()
    before = {each.tag: each.switchback for each in new}
    async with run.system.admin(tag, run.pid):
        for each in new:
            each.switchback = switchback
        try:
            refuse_automatic(run.lcd, [each.tag for each in new])
            await _extend(run, values, members, new)
        except Failed:
            for each in new:
                if each.tag not in {one.tag for one in run.lcd.equivalencies if one.system == dest}:
                    each.switchback = before[each.tag]
            raise
    run.say("Hierarchy successfully extended")


def _may_extend(run: Context, values: Values, members: list[Instance], there: set[str]) -> None:
    tag, dest = values["tag"], values["dest"]
    run.say("Executing the pre-extend script...")
    if dest not in run.lcd.systems:
        raise Failed(7, f'system "{dest}" does not exist')
    if tag in there:
        raise Failed(4, f'"{tag}" is extended to {dest} already')
    if not run.system.links.alive(dest):
        raise Failed(9, f'Communication failure: destination system "{dest}" is out of service.')
    for each in members:
        if each.state != ISP:
            raise Failed(5, f'"{each.tag}" is not in service on {run.lcd.name}: a hierarchy is extended in service')
        if each.type == "netraid" and each.tag not in there and run.command != "lkcli resource extend dk":
            raise Failed(5, f'"{each.tag}" is a mirror: its hierarchy is extended by `resource extend dk`')
    if run.command == "lkcli resource extend dk" and run.system.instance(tag).type != "netraid":
        raise Failed(5, f'"{tag}" is no mirror')


async def _extend(run: Context, values: Values, members: list[Instance], new: list[Instance]) -> None:
    dest, links = values["dest"], run.system.links
    here, target = values.get("template_priority", 1), values.get("target_priority", 10)
    if here == target:
        raise Failed(5, "the priorities of both systems have to differ")
    parcels = {each.tag: _parcel(run, each, values) for each in new}
    for each in new:
        run.say(f"Checking extendability for {each.tag}")
        await links.call(dest, "can_extend", parcel=parcels[each.tag])
    run.say("Pre Extend checks were successful.")
    for each in new:
        if each.type == "netraid":
            # First, so that the mirror finds its other half by itself if this is cut off once both know each other.
            each.kit.update(local=values["laddr"], remote=values["raddr"])
            each.info = mirror_info(each.kit)
            run.system.save()
    for each in new:
        run.step()
        run.say(f'BEGIN extend of "{each.tag}"')
        await links.call(dest, "extend_in", parcel=parcels[each.tag])
        run.step()
        same = Equivalency(each.tag, run.lcd.name, each.tag, target, here)
        await links.call(dest, "equivalent", **asdict(same))
        run.lcd.equivalencies.append(Equivalency(each.tag, dest, each.tag, here, target))
        run.system.save()
        run.say(f'END successful extend of "{each.tag}"')
    run.step()
    run.say("Creating dependencies")
    tags = {each.tag for each in members}
    pairs = [pair for pair in run.lcd.dependencies if pair[0] in tags]
    await links.call(dest, "depend", pairs=pairs)
    run.step()
    for each in new:
        if each.type == "netraid":
            await run.system.reattach(each, dest)


def _parcel(run: Context, each: Instance, values: Values) -> dict[str, Any]:
    parcel: dict[str, Any] = {**asdict(each), "state": "OSU", "scripts": {}, "size": 0}
    if each.type == "app":
        parcel["scripts"] = service.read_scripts(each.tag)
    if each.type == "netraid":
        own = {"device": values.get("device", each.kit["device"]), "local": values["raddr"], "remote": values["laddr"]}
        bitmap = values.get("bitmap", each.kit["bitmap"])
        parcel["kit"] = {
            **each.kit,
            **own,
            "bitmap": bitmap,
            "source": "no",
            "insync": "no",
            "template": each.kit["device"],
        }
        if not any(path.local == values["laddr"] and path.remote == values["raddr"] for path in run.lcd.paths):
            raise Failed(5, f"{values['laddr']}/{values['raddr']} is no communication path")
    return parcel


@command("lkcli resource unextend")
async def unextend(run: Context, values: Values) -> None:
    """The whole hierarchy off one system; not while it is in service there."""
    tag, dest = values["tag"], values["dest"]
    run.system.instance(tag)
    tags = tree.whole(run.lcd.dependencies, tag)
    if not any(each.tag == tag and each.system == dest for each in run.lcd.equivalencies):
        raise Failed(7, f'"{tag}" is not extended to {dest}')
    if not run.system.links.alive(dest):
        raise Failed(9, f'Communication failure: destination system "{dest}" is out of service.')
    if busy := [each for each in tags if run.system.states_on(dest).get(each) == ISP]:
        raise Failed(5, f'"{busy[0]}" is in service on {dest}')
    async with run.system.admin(tag, run.pid):
        for each in tags:
            if run.lcd.instances[each].type == "netraid":
                await mirror.detach(run.lcd.instances[each].kit)
        run.step()
        await run.system.links.call(dest, "forget", tags=tags)
        run.step()
        kept = [each for each in run.lcd.equivalencies if each.system != dest or each.tag not in tags]
        run.lcd.equivalencies[:] = kept
        run.system.save()


@command("lkcli resource delete")
async def delete(run: Context, values: Values) -> None:
    """From all systems. Whether the address of a deleted resource stays is unknown; here it does."""
    tag = values["tag"]
    run.system.instance(tag)
    if any(child == tag for _, child in run.lcd.dependencies):
        raise Failed(8, f'a resource depends on "{tag}"')
    tags = _going(run, tag)
    peers = {each.system for each in run.lcd.equivalencies if each.tag in tags}
    for peer in peers:
        if not run.system.links.alive(peer):
            raise Failed(9, f'Communication failure: destination system "{peer}" is out of service.')
    async with run.system.admin(tag, run.pid):
        run.say(f'BEGIN delete of "{tag}"')
        for peer in sorted(peers):
            run.step()
            await run.system.links.call(peer, "forget", tags=tags)
        run.step()
        await forget(run, tags)
        run.say(f'END successful delete of "{tag}".')


def _going(run: Context, tag: str) -> list[str]:
    """The resource, and filesystems and mirrors that nothing else stands on; parents first."""
    going = [tag]
    for each in going:
        for parent, child in run.lcd.dependencies:
            kept = run.lcd.instances[child].type in LEFT_RUNNING or child in going
            others = [one for one, two in run.lcd.dependencies if two == child and one not in going]
            if parent == each and not kept and not others:
                going.append(child)
    return going


async def forget(run: Context, tags: list[str]) -> None:
    """Nothing is left of these on this system."""
    for tag in tags:
        each = run.lcd.instances.get(tag)
        if each is None:
            continue
        if each.type in ("filesys", "netraid") and each.state == ISP:
            await kits.stop(each)
        if each.type == "netraid":
            await mirror.forget(each.kit)
            run.system.notes.give(tag)
        if each.type == "app":
            service.remove_scripts(tag)
        run.lcd.forget(tag)
        run.system.save()


@command("lkcli dependency create")
async def dependency_create(run: Context, values: Values) -> None:
    """On every system that has both."""
    parent, child = values["parent"], values["child"]
    for tag in (parent, child):
        run.system.instance(tag)
    peers = _both(run, parent, child)
    async with run.system.admin(parent, run.pid):
        run.say(f"Creating the dependency on the server {run.lcd.name}")
        run.step()
        depend(run.lcd, parent, child)
        run.system.save()
        for peer in peers:
            run.step()
            run.say(f"Creating the dependency on the server {peer}")
            await run.system.links.call(peer, "depend", pairs=[(parent, child)])
    run.say("The dependency creation was successful.")


@command("lkcli dependency delete")
async def dependency_delete(run: Context, values: Values) -> None:
    """On every system that has both."""
    parent, child = values["parent"], values["child"]
    for tag in (parent, child):
        run.system.instance(tag)
    peers = _both(run, parent, child)
    async with run.system.admin(parent, run.pid):
        undepend(run.lcd, parent, child)
        run.system.save()
        for peer in peers:
            run.step()
            await run.system.links.call(peer, "undepend", parent=parent, child=child)


def _both(run: Context, parent: str, child: str) -> list[str]:
    systems = [{each.system for each in run.lcd.equivalencies if each.tag == tag} for tag in (parent, child)]
    both = sorted(systems[0] & systems[1])
    for peer in both:
        if not run.system.links.alive(peer):
            raise Failed(9, f'Communication failure: destination system "{peer}" is out of service.')
    return both
