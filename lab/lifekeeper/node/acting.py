"""Commands with an effect on services, on the mirror, or on another system."""

from __future__ import annotations

from lab.lifekeeper.node import extending, mirror, tree
from lab.lifekeeper.node.context import Context, Values, command
from lab.lifekeeper.node.lcd import ISP
from lab.lifekeeper.node.shell import Failed
from lab.lifekeeper.node.shell import run as call


@command("perform_action")
async def perform_action(run: Context, values: Values) -> None:
    """restore: children first, taken from the other system. remove: parents first. In place already: nothing."""
    tag = values["tag"]
    run.system.instance(tag)
    async with run.system.busy:
        if values["action"] == "restore":
            run.say(f'Put resource "{tag}" in-service')
            run.step()
            await run.system.restore(tag, run.say)
            run.say(f'Put "{tag}" in-service successful')
        else:
            run.step()
            await run.system.remove(tag, run.say)
        run.step()


@command("mirror_action")
async def mirror_action(run: Context, values: Values) -> None:
    """pause, resume, force, fullresync; the last of the whole device, on the system that is its source."""
    each = run.system.instance(values["tag"])
    if each.type != "netraid":
        raise Failed(5, f'"{each.tag}" is no mirror')
    action = values["action"]
    if action == "force":
        each.kit.update(source="yes", insync="yes", awaits="no")
        run.system.notes.own(each.tag)
        run.system.save()
        return
    if each.state != ISP or values.get("source", run.lcd.name) != run.lcd.name:
        raise Failed(5, f'"{each.tag}" is not in service on {run.lcd.name}: its source is elsewhere')
    peers = [one.system for one in run.lcd.equivalencies if one.tag == each.tag]
    if unknown := set(values.get("targets", ())) - set(peers):
        raise Failed(5, f'"{each.tag}" has no target on {", ".join(sorted(unknown))}')
    # Or a check of its health brings the other half in meanwhile, with what has changed here alone.
    async with run.system.busy:
        each.kit["paused"] = "yes" if action == "pause" else "no"
        if action in ("pause", "fullresync"):
            await mirror.detach(each.kit)
        run.system.save()
        if action != "pause":
            for peer in values.get("targets") or peers:
                await run.system.links.call(peer, "offer", tag=each.tag)
            await mirror.attach(each.kit, whole=action == "fullresync")


@command("lcdremexec")
async def lcdremexec(run: Context, values: Values) -> None:
    """A command on another system, or here by a shell; the exit code is its own."""
    words = values["command"]
    if values["dest"] == run.lcd.name:
        done = await call("/bin/sh", "-c", " ".join(words), seconds=values.get("timeout", 900))
        run.text, run.code = done.text, done.code
        return
    seconds = values.get("timeout", 900)
    answer = await run.system.links.call(values["dest"], "execute", line=" ".join(words), seconds=seconds)
    run.text, run.code = answer["text"], answer["exit"]


@command("canextend")
async def canextend(run: Context, values: Values) -> None:
    """Whether a resource of another system could be extended to this one."""
    await run.system.links.call(values["template_system"], "would_extend", tag=values["tag"], dest=run.lcd.name)


@command("extmgrDoExtend.pl")
async def extmgr(run: Context, values: Values) -> None:
    """The script behind `resource extend`; of the bundle only a mirror's `local/remote` is looked for."""
    common = {name: values[name] for name in ("tag", "dest", "target_priority")}
    common["switchback"] = values["switchback"].lower()
    members = [
        run.lcd.instances[each] for each in tree.whole(run.lcd.dependencies, values["tag"]) if each in run.lcd.instances
    ]
    mirrors = [each for each in members if each.type == "netraid"]
    if not mirrors:
        await extending.extend(run, common)
        return
    words = [each.strip("\"' ") for each in values["bundle"].split(values["separator"])]
    pairs = [each.split("/") for each in words if each.count("/") == 1 and each[:1].isdigit()]
    if not pairs:
        raise Failed(5, "the bundle names no pair of addresses for the mirror")
    run.command = "lkcli resource extend dk"
    await extending.extend(run, {**common, "tag": mirrors[0].tag, "laddr": pairs[0][0], "raddr": pairs[0][1]})


@command("lkstop", "lkcli stop")
async def stop(run: Context, values: Values) -> None:
    """Take all out of service, unless -f; the others do not take over, unless that is the shutdown strategy."""
    async with run.system.busy:
        await run.system.leave(run.say, keep=bool(values.get("running")))


@command("lkcli start", "lkstart")
async def start(run: Context, values: Values) -> None:  # noqa: ARG001
    """It runs, or nobody would answer."""
    run.say(f"LifeKeeper is running on {run.lcd.name}")
