"""LCDI commands that write this system's database, and only that."""

from __future__ import annotations

from lab.lifekeeper.node import tree
from lab.lifekeeper.node.context import Context, Values, command
from lab.lifekeeper.node.lcd import CommPath, Equivalency, Instance, Lcd
from lab.lifekeeper.node.shell import Failed


def refuse_automatic(lcd: Lcd, tags: list[str]) -> None:
    """Nothing above a mirror may come back by itself. Raises `Failed`."""
    for tag in tags:
        below = tree.below(lcd.dependencies, tag)
        mirrored = any(lcd.instances[each].type == "netraid" for each in below if each in lcd.instances)
        if mirrored and lcd.instances[tag].switchback == "AUTOMATIC":
            raise Failed(5, f'"{tag}" stands on a DataKeeper mirror: switchback automatic is not allowed')


@command("ins_create")
async def ins_create(run: Context, values: Values) -> None:
    """An entry in the database, without any kit."""
    if values["tag"] in run.lcd.instances:
        raise Failed(4, f'resource "{values["tag"]}" exists')
    optional = {name: values[name] for name in ("info", "initialize", "switchback") if name in values}
    run.lcd.instances[values["tag"]] = Instance(
        values["app"], values["type"], values["tag"], values["id"], **optional
    )  # fmt: skip
    run.system.save()


@command("ins_remove")
async def ins_remove(run: Context, values: Values) -> None:
    """An entry of the database; no kit's script runs here (what LifeKeeper does is unknown)."""
    tag = values.get("tag") or values.get("root")
    if tag is None:
        raise Failed(5, "which resource?")
    run.system.instance(tag)
    if any(child == tag for _, child in run.lcd.dependencies):
        raise Failed(8, f'a resource depends on "{tag}"')
    run.lcd.forget(tag)
    run.system.save()


@command("ins_setas")
async def ins_setas(run: Context, values: Values) -> None:
    """The switchback."""
    each = run.system.instance(values["tag"])
    before, each.switchback = each.switchback, values["switchback"]
    try:
        refuse_automatic(run.lcd, [each.tag])
    except Failed:
        each.switchback = before
        raise
    run.system.save()


@command("ins_setinfo")
async def ins_setinfo(run: Context, values: Values) -> None:
    """The info string."""
    run.system.instance(values["tag"]).info = values.get("info", "")
    run.system.save()


@command("ins_setinit")
async def ins_setinit(run: Context, values: Values) -> None:
    """The initialization."""
    run.system.instance(values["tag"]).initialize = values["initialize"]
    run.system.save()


@command("ins_setstate")
async def ins_setstate(run: Context, values: Values) -> None:
    """The state, in the database only."""
    run.system.instance(values["tag"])
    run.system.mark(values["tag"], values["state"], values.get("reason", ""))


@command("dep_create")
async def dep_create(run: Context, values: Values) -> None:
    """A dependency on this system."""
    depend(run.lcd, values["parent"], values["child"])
    run.system.save()


def depend(lcd: Lcd, parent: str, child: str) -> None:
    """Add a dependency to the database. Raises `Failed`."""
    for tag in (parent, child):
        if tag not in lcd.instances:
            raise Failed(7, f'resource "{tag}" does not exist on {lcd.name}')
    if (parent, child) in lcd.dependencies:
        raise Failed(4, f'"{parent}" depends on "{child}" already')
    if tree.is_below(lcd.dependencies, child, parent):
        raise Failed(5, f'"{child}" stands on "{parent}": a dependency the other way round is a circle')
    lcd.dependencies.append((parent, child))
    try:
        refuse_automatic(lcd, tree.above(lcd.dependencies, child))
    except Failed:
        lcd.dependencies.remove((parent, child))
        raise


@command("dep_remove")
async def dep_remove(run: Context, values: Values) -> None:
    """Dependencies on this system."""
    undepend(run.lcd, values.get("parent"), values.get("child"))
    run.system.save()


def undepend(lcd: Lcd, parent: str | None, child: str | None) -> None:
    """Remove dependencies from the database. Raises `Failed` (7) when there is none."""
    gone = [pair for pair in lcd.dependencies if pair[0] == (parent or pair[0]) and pair[1] == (child or pair[1])]
    if not gone:
        raise Failed(7, f'there is no dependency of "{parent}" on "{child}"')
    lcd.dependencies[:] = [pair for pair in lcd.dependencies if pair not in gone]


@command("eqv_create")
async def eqv_create(run: Context, values: Values) -> None:
    """An equivalency on this system."""
    run.system.instance(values["tag"])
    if any((each.tag, each.system) == (values["tag"], values["system"]) for each in run.lcd.equivalencies):
        raise Failed(4, f'"{values["tag"]}" has an equivalency with {values["system"]} already')
    priorities = values.get("priority", 1), values.get("other_priority", 10)
    run.lcd.equivalencies.append(Equivalency(values["tag"], values["system"], values["other_tag"], *priorities))
    run.system.save()


@command("eqv_remove")
async def eqv_remove(run: Context, values: Values) -> None:
    """An equivalency on this system."""
    named = (values["tag"], values["system"])
    kept = [each for each in run.lcd.equivalencies if (each.tag, each.system) != named]
    if len(kept) == len(run.lcd.equivalencies):
        raise Failed(7, f'"{named[0]}" has no equivalency with {named[1]}')
    run.lcd.equivalencies[:] = kept
    run.system.save()


@command("hry_setpri")
async def hry_setpri(run: Context, values: Values) -> None:
    """The own priority, here and as the others see it."""
    run.system.instance(values["tags"])
    same = [each for each in run.lcd.equivalencies if each.tag == values["tags"]]
    if "priority" not in values:
        raise Failed(5, "-p is needed here")
    if not same:
        raise Failed(7, f'"{values["tags"]}" is on this system only')
    if any(each.other_priority == values["priority"] for each in same):
        raise Failed(5, f"another system has the priority {values['priority']} already")
    for each in same:
        await run.system.links.call(each.system, "priority", tag=each.other_tag, priority=values["priority"])
        each.priority = values["priority"]
    run.system.save()


@command("sys_create")
async def sys_create(run: Context, values: Values) -> None:
    """Another system."""
    if values["system"] in (run.lcd.name, *run.lcd.systems):
        raise Failed(4, f'system "{values["system"]}" exists')
    run.lcd.systems.append(values["system"])
    run.system.save()


@command("sys_remove")
async def sys_remove(run: Context, values: Values) -> None:
    """Another system; not while a path or a resource needs it."""
    name = values["system"]
    if name not in run.lcd.systems:
        raise Failed(7, f'system "{name}" does not exist')
    if any(each.system == name for each in (*run.lcd.paths, *run.lcd.equivalencies)):
        raise Failed(8, f'paths or resources need the system "{name}"')
    run.lcd.systems.remove(name)
    run.system.save()


@command("net_create")
async def net_create(run: Context, values: Values) -> None:
    """Our side of a path."""
    if values["system"] not in run.lcd.systems:
        raise Failed(7, f'system "{values["system"]}" does not exist: sys_create comes first')
    if values["type"] != "TCP" or not {"local", "remote"} <= set(values):
        raise Failed(5, "the stand-in has only TCP paths, with -l and -r")
    add_path(run.lcd, CommPath(values["system"], values["local"], values["remote"], values.get("priority", 0)))
    run.system.save()


def add_path(lcd: Lcd, path: CommPath) -> None:
    """Raises `Failed`. Without a priority it gets the next free one."""
    if any(each.system == path.system and each.remote == path.remote for each in lcd.paths):
        raise Failed(4, f"there is a path to {path.system} at {path.remote} already")
    used = {each.priority for each in lcd.paths if each.system == path.system}
    if path.priority in used:
        raise Failed(5, f"another path to {path.system} has the priority {path.priority}")
    path.priority = path.priority or next(each for each in range(1, 100) if each not in used)
    lcd.paths.append(path)


@command("net_remove")
async def net_remove(run: Context, values: Values) -> None:
    """Our side of a path."""
    drop_path(run.lcd, values["system"], values.get("local"), values.get("remote"))
    run.system.save()


def drop_path(lcd: Lcd, system: str, local: str | None, remote: str | None) -> None:
    """Raises `Failed` (7) when there is none."""
    gone = [
        each
        for each in lcd.paths
        if each.system == system and each.local == (local or each.local) and each.remote == (remote or each.remote)
    ]
    if not gone:
        raise Failed(7, f"there is no such path to {system}")
    lcd.paths[:] = [each for each in lcd.paths if each not in gone]


@command("lkcli commpath create")
async def commpath_create(run: Context, values: Values) -> None:
    """Our side of a path, and the system where it is new. One direction: whether LifeKeeper makes both is unknown."""
    if values["dest"] == run.lcd.name:
        raise Failed(5, "a path leads to another system")
    add_path(run.lcd, CommPath(values["dest"], values["laddr"], values["raddr"], values.get("priority", 0)))
    if values["dest"] not in run.lcd.systems:
        run.lcd.systems.append(values["dest"])
    run.system.save()


@command("lkcli commpath delete")
async def commpath_delete(run: Context, values: Values) -> None:
    """Our side of a path."""
    drop_path(run.lcd, values["dest"], values["laddr"], values["raddr"])
    run.system.save()


@command("flg_create")
async def flg_create(run: Context, values: Values) -> None:
    """Raise a flag."""
    if values["flag"] in run.lcd.flags:
        raise Failed(4, f'flag "{values["flag"]}" is up')
    run.lcd.flags.append(values["flag"])
    run.system.save()


@command("flg_remove")
async def flg_remove(run: Context, values: Values) -> None:
    """Take a flag down."""
    if values["flag"] not in run.lcd.flags:
        raise Failed(7, f'flag "{values["flag"]}" is not up')
    run.lcd.flags.remove(values["flag"])
    run.system.save()


@command("lcdsync")
async def lcdsync(run: Context, values: Values) -> None:  # noqa: ARG001
    """Onto the disk, where every change is already."""
    run.system.save()
