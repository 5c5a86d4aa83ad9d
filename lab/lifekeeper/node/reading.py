"""Commands that only read: lists, states, status."""

from __future__ import annotations

from collections.abc import Callable

from lab.lifekeeper.node import VERSION, lists, tree
from lab.lifekeeper.node.context import Context, Values, command
from lab.lifekeeper.node.lcd import Instance
from lab.lifekeeper.node.shell import Failed


@command("ins_list")
async def ins_list(run: Context, values: Values) -> None:
    """Instances; with -t or -R and no match it fails with nothing printed."""
    found = list(run.lcd.instances.values())
    if top := values.get("top"):
        below = tree.below(run.lcd.dependencies, top)
        found = [run.lcd.instances[tag] for tag in reversed(below) if tag in run.lcd.instances]
    fields: dict[str, Callable[[Instance], str]] = {
        "app": lambda each: each.app,
        "type": lambda each: each.type,
        "tag": lambda each: each.tag,
        "id": lambda each: each.id,
    }
    for name, of in fields.items():
        if name in values:
            found = [each for each in found if of(each) == values[name]]
    if not found and ({"tag", "top", "id"} & set(values)):
        raise Failed(7, "")
    run.text = lists.lines([lists.instance(run.lcd, each) for each in found], _separator(values))


def _separator(values: Values) -> str:
    return str(values.get("separator", lists.SEPARATOR))


@command("ins_gettag")
async def ins_gettag(run: Context, values: Values) -> None:
    """The tag of an id."""
    for each in run.lcd.instances.values():
        if each.id == values["id"]:
            run.text = f"{each.tag}\n"
            return
    raise Failed(7, f'no resource has the id "{values["id"]}"')


@command("dep_list")
async def dep_list(run: Context, values: Values) -> None:
    """Dependencies, parent and child."""
    pairs = run.lcd.dependencies
    if tag := values.get("all_children"):
        below = tree.below(pairs, tag)
        pairs = [pair for pair in pairs if pair[0] in below]
    if tag := values.get("all_parents"):
        above = tree.above(pairs, tag)
        pairs = [pair for pair in pairs if pair[1] in above]
    if tag := values.get("children_of"):
        pairs = [pair for pair in pairs if pair[0] == tag]
    if tag := values.get("parents_of"):
        pairs = [pair for pair in pairs if pair[1] == tag]
    run.text = lists.lines(pairs, _separator(values))


@command("eqv_list")
async def eqv_list(run: Context, values: Values) -> None:
    """Equivalencies; with -t and no match it fails with nothing printed."""
    found = [each for each in run.lcd.equivalencies if each.tag == values.get("tag", each.tag)]
    if not found and "tag" in values:
        raise Failed(7, "")
    rows = [(run.lcd.name, e.tag, e.system, e.other_tag, "SHARED", e.priority, e.other_priority) for e in found]
    run.text = lists.lines(rows, _separator(values))


@command("net_list")
async def net_list(run: Context, values: Values) -> None:
    """Communication paths."""
    paths = [each for each in run.lcd.paths if each.system == values.get("system", each.system)]
    states = run.system.links.states()
    rows = [(p.system, p.device or f"{p.local}/{p.remote}", p.type, p.priority, states[lists.key(p)]) for p in paths]
    run.text = lists.lines(rows, _separator(values))


@command("sys_list")
async def sys_list(run: Context, values: Values) -> None:  # noqa: ARG001
    """All systems, this one first."""
    run.text = lists.lines([[each] for each in (run.lcd.name, *run.lcd.systems)])


@command("sys_getst")
async def sys_getst(run: Context, values: Values) -> None:
    """ALIVE or DEAD."""
    name = values["system"]
    if name != run.lcd.name and name not in run.lcd.systems:
        raise Failed(7, f'system "{name}" does not exist')
    run.text = "ALIVE\n" if name == run.lcd.name or run.system.links.alive(name) else "DEAD\n"


@command("flg_list")
async def flg_list(run: Context, values: Values) -> None:  # noqa: ARG001
    """Flags that are up."""
    others = [flag for flag in run.lcd.flags if not flag.startswith("!action!")]
    run.text = lists.lines([[flag] for flag in (*run.system.locks(), *others)])


@command("flg_test")
async def flg_test(run: Context, values: Values) -> None:
    """0 when it is up."""
    if values["flag"] not in (*run.lcd.flags, *run.system.locks()):
        raise Failed(7, "")


@command("lcduname")
async def lcduname(run: Context, values: Values) -> None:  # noqa: ARG001
    """The own name."""
    run.text = f"{run.lcd.name}\n"


@command("lktest")
async def lktest(run: Context, values: Values) -> None:  # noqa: ARG001
    """It runs, or nobody would answer."""
    run.text = "F S UID PID\n"


@command("lcdstatus", "lkcli status")
async def lcdstatus(run: Context, values: Values) -> None:
    """The status, long or short."""
    states = run.system.links.states()
    if values.get("short") or values.get("backup"):
        run.text = f"LifeKeeper {VERSION}\n"
        run.text += lists.short_status(run.lcd, states, backup=bool(values.get("backup")))
    else:
        run.text = lists.long_status(run.lcd, states, run.system.links.peers(), VERSION)


@command("lkipbu")
async def lkipbu(run: Context, values: Values) -> None:
    """The address of a resource; a backup interface where its info string has one."""
    run.text = lists.address(run.system.instance(values["tag"]))
