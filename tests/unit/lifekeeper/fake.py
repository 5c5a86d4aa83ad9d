"""A pair of nodes in memory that takes the grammar's lines, for tests of this side of the conversation alone.

It does with its tables what `providers/lifekeeper/grammar/grammar.yaml` says of each line, and fails every other line.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from providers.connection.command import Command, Result
from providers.connection.errors import Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.lifekeeper import grammar
from providers.lifekeeper.defaults import PATH
from providers.lifekeeper.speaking import TO_ITS_END

MDSTAT = ("read the mirror's state", "look for a resynchronisation")
COPYING = (
    "md0 : active raid1 nbd0[2] sdb[0]\n      5 blocks [2/1] [U_]\n      [>...]  recovery = 1.5% (1/5)\n\n/dev/md0\n"
)
KINDS = {"ip": ("comm", "ip"), "qsp": ("gen", "qsp"), "gen": ("gen", "app"), "dk": ("scsi", "netraid")}


@dataclass
class Lcd:
    """One node's tables."""

    installed: bool = True
    running: bool = True
    uname: str = ""
    """Under which name LifeKeeper knows the node, where that is another one than its own."""
    enabled: bool = True
    """Whether systemd starts LifeKeeper at boot."""
    masked: bool = False
    """Its unit is masked."""
    stray: str = ""
    """What `ip` says of the interface that has an address outside of LifeKeeper."""
    instances: dict = field(default_factory=dict)
    """Tag → app, type, id, info, state, switchback."""
    priorities: dict = field(default_factory=dict)
    mistaken: dict = field(default_factory=dict)
    """Tag → priority of the other node as this one has it, where that is not the other's own."""
    initial: dict = field(default_factory=dict)
    """Tag → its initialization, where that is not AUTORES_ISP."""
    ties: list = field(default_factory=list)
    systems: list = field(default_factory=list)
    paths: dict = field(default_factory=dict)
    """(system, local/remote) → priority."""
    flags: list = field(default_factory=list)
    disks: str = ""
    """Paths of a disk that is a mirror's id, the id first."""
    defaults: str = ""
    files: dict = field(default_factory=dict)
    """Path → text of what else is read."""
    license: str = ""
    """Text of the licence that was installed last."""
    lone: set = field(default_factory=set)
    """Tags of instances that have no equivalency with the other node's."""
    units: dict = field(default_factory=lambda: {"squid.service": "inactive"})
    stale: set = field(default_factory=set)
    """Tags of resources that this node believes to be on the other one, which lost them."""
    signatures: str = ""
    mounted: str = ""
    notes: set = field(default_factory=set)
    """What DataKeeper's files tell: `last_owner TAG`, `data_corrupt TAG`."""
    mdstat: str = ""
    """/proc/mdstat, where asked for with the device behind the mirror's mount point in the last line."""
    without: set = field(default_factory=set)
    """Programs that are not there."""


@cache
def understood(*argv: str) -> grammar.Call:
    """What a line asks for; the same few lists are asked for again and again."""
    return grammar.parse(argv)


def words(command: Command) -> list[str]:
    """Those of the line, which may be wrapped so that it outlives the connection."""
    wrapped = command.argv[:3] == ("sh", "-c", TO_ITS_END)
    return list(command.argv[4 if wrapped else 0 :])


class Cut(Exception):
    """The run was cut off here."""


class Pair:
    """Two nodes; `before` and `after` are asked at every line that writes, and may raise."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("proxy-a", "proxy-b")
        self.lcds = {name: Lcd() for name in self.names}
        self.journals = FakeJournals()
        self.said: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda _node, _line: None
        self.after: Callable[[str, str], None] = lambda _node, _line: None
        self.helps: dict[str, str] = {}
        """Help of a command, by its name or by that of a node and its own."""
        self.help_codes: dict[str, int] = {}
        self.progress: list[str] = []
        self.witnesses: set[str] = set()
        """Systems beside the pair that both nodes hear, where they know them."""
        self.silent = False
        """Whether the other node hears nothing of a priority that is set."""

    def cluster(self, thing: str = "thing", **given):
        nodes = [FakeNode(name, lambda command, name=name: self.answer(name, command)) for name in self.names]
        return fake_cluster(*nodes, thing=thing, journals=self.journals, progress=self.progress.append, **given)

    def tables(self) -> dict:
        """Everything, for comparing two ends."""
        return {name: vars(lcd) | {"systems": sorted(lcd.systems)} for name, lcd in self.lcds.items()}

    def answer(self, name: str, command: Command) -> Result:
        if not command.writes:
            return self.run(name, command)
        line = command.label or command.shell()
        self.before(name, line)
        self.said.append((name, line))
        result = self.run(name, command)
        self.after(name, line)
        return result

    def run(self, name: str, command: Command) -> Result:  # noqa: PLR0911
        def say(code: int, out: str = "", error: str = "") -> Result:
            return Result(command, code, out, error)

        argv, lcd = words(command), self.lcds[name]
        if argv[0].startswith("/opt/LifeKeeper/") or argv[0].endswith("/setup"):
            return self.lifekeeper(name, argv, say)
        if argv[0] == "systemctl":
            return self.systemctl(lcd, argv[1:], say)
        if command.label.startswith("read /"):
            there = {PATH: lcd.defaults, **lcd.files}
            return say(0, "".join(self.shown(there.get(each, "")) for each in command.label.split()[1:]))
        self.keep(lcd, command)
        if command.label.startswith("look beneath"):
            return say(0, "missing /mnt/mirror\n")
        if command.label.startswith("wipefs"):
            return say(0, lcd.signatures)
        if argv[:2] == ["test", "-x"]:
            return say(1 if argv[2] in lcd.without else 0)
        if argv[:2] == ["ip", "-json"]:
            return say(0, lcd.stray or "[]")
        if argv[0] == "lsblk":
            where = f'"mountpoints": ["{lcd.mounted}"]' if lcd.mounted else '"mountpoints": [null]'
            disk = f'"name": "/dev/sdb", "type": "disk", "size": 5, "serial": "{name}", "ro": false, {where}'
            return say(0, f'{{"blockdevices": [{{{disk}}}]}}')
        notes = {
            "look for the last source of the mirror": "".join(f"{each}\n" for each in sorted(lcd.notes)),
            "look for the names of the mirrors' disks": lcd.disks,
        }
        return say(0, {**dict.fromkeys(MDSTAT, lcd.mdstat), **notes}.get(command.label, ""))

    @staticmethod
    def keep(lcd: Lcd, command: Command) -> None:
        """Files that are written, and gone again."""
        text = (command.stdin or b"").decode()
        if command.label == f"write {PATH}":
            lcd.defaults = text
        elif command.label.startswith("write /run/"):
            lcd.files[command.label.split()[1]] = text
        elif command.argv[0] == "rm":
            lcd.files.pop(command.argv[-1], None)

    @staticmethod
    def shown(text: str) -> str:
        if not text:
            return "absent - - -\n\n"
        return f"file 644 0:0 root:root\n{base64.b64encode(text.encode()).decode()}\n"

    @staticmethod
    def systemctl(lcd: Lcd, words: list[str], say) -> Result:
        unit = words[-1]
        if words[0] == "is-enabled":
            return say(0, "masked\n" if lcd.masked else "enabled\n" if lcd.enabled else "disabled\n")
        if unit == "lifekeeper.service":
            lcd.enabled = words[0] == "enable"
        if words[0] in ("start", "stop"):
            lcd.units[unit] = "active" if words[0] == "start" else "inactive"
        if words[0] == "show":
            return say(0, f"ActiveState={lcd.units[unit]}\nUnitFileState=disabled\n")
        return say(0, f"{lcd.units.get(unit, 'inactive')}\n") if words[0] == "is-active" else say(0)

    # LifeKeeper

    def lifekeeper(self, name: str, argv: list[str], say) -> Result:  # noqa: PLR0911
        lcd = self.lcds[name]
        try:
            call = understood(*argv)
        except grammar.Refusal as refusal:
            return say(2, error=str(refusal))
        if call.command == "setup":
            lcd.installed = True
            return say(0)
        if not lcd.installed:
            return say(127)
        if call.help:
            code = self.help_codes.get(call.command, 0)
            told = self.helps.get(f"{name} {call.command}", self.helps.get(call.command))
            return say(code, told or grammar.help_text(call.command))
        if not lcd.running and call.command not in ("lkcli start", "lkkeyins"):
            return say(1)
        act = getattr(self, call.command.replace(" ", "_").replace(".", "_"), None)
        if act is None:
            kind = call.command.rsplit(" ", 1)[-1]
            act = {"create": self.create, "extend": self.extend}[call.command.split(" ")[2]]
            return say(*act(name, kind, call.values))
        return say(*act(name, call.values))

    def other(self, name: str) -> str:
        return next(each for each in self.names if each != name)

    def lktest(self, name, values):
        return (0,)

    def lkkeyins(self, name, values):
        lcd = self.lcds[name]
        if values["file"] not in lcd.files:
            return 7, "", "no such file"
        lcd.license = lcd.files[values["file"]]
        return (0,)

    def lcdsync(self, name, values):
        return (0,)

    def lkcli_start(self, name, values):
        self.lcds[name].running = True
        return (0,)

    def lkcli_stop(self, name, values):
        self.lcds[name].running = False
        return (0,)

    lkstop = lkcli_stop

    def ins_list(self, name, values):
        rows = [
            "|".join((name, *each[:2], tag, *each[2:5], self.initialized(name, tag), "", each[5].upper()))
            for tag, each in self.lcds[name].instances.items()
        ]
        return 0, "".join(f"{row}\n" for row in rows)

    def initialized(self, name, tag):
        return self.lcds[name].initial.get(tag, "AUTORES_ISP")

    def equivalents(self, name):
        here, there = self.lcds[name], self.lcds[self.other(name)]
        both = [tag for tag in here.instances if tag in there.instances and tag not in here.lone]
        return both + [tag for tag in here.instances if tag in here.stale and tag not in both]

    def eqv_list(self, name, values):
        other = self.other(name)
        return 0, "".join(f"{name}|{tag}|{other}|{tag}|SHARED|1|10\n" for tag in self.equivalents(name))

    def dep_list(self, name, values):
        return 0, "".join(f"{parent}|{child}\n" for parent, child in self.lcds[name].ties)

    def net_list(self, name, values):
        return 0, "".join(f"{system}|{addresses}|TCP\n" for system, addresses in self.lcds[name].paths)

    def sys_list(self, name, values):
        return 0, "".join(f"{each}\n" for each in (self.lcds[name].uname or name, *self.lcds[name].systems))

    def flg_list(self, name, values):
        return 0, "".join(f"{each}\n" for each in self.lcds[name].flags)

    def alive(self, name, system, addresses):
        there = self.lcds.get(system)
        return there and there.running and (name, "/".join(reversed(addresses.split("/")))) in there.paths

    def lcdstatus(self, name, values):
        lcd, other = self.lcds[name], self.other(name)
        text = f'Resource hierarchies for machine "{name}":\nROOT of RESOURCE HIERARCHY\n'
        for tag, each in lcd.instances.items():
            text += f"{tag}: id={each[2]} app={each[0]} type={each[1]} state={each[4]}\n"
            text += f"        initialize=({self.initialized(name, tag)})\n        info={each[3]}\n"
            if below := [child for parent, child in lcd.ties if parent == tag]:
                text += f"        depends on resources: {','.join(below)}\n"
            if above := [parent for parent, child in lcd.ties if child == tag]:
                text += f"        these resources are dependent: {','.join(above)}\n"
            if tag in self.lcds[other].instances:
                text += f"        Local priority = {lcd.priorities[tag]}\n"
            if tag in self.equivalents(name):
                text += f'        SHARED equivalency with "{tag}" on "{other}", priority = {self.told(name, tag)}\n'
        text += "The following LifeKeeper machines are known:\n"
        heard = any(self.alive(name, *each) for each in lcd.paths)
        text += f"        machine={lcd.uname or name} state=ALIVE\n"
        for system in dict.fromkeys((other, *lcd.systems)):
            alive = heard if system == other else system in self.witnesses
            text += f"        machine={system} state={'ALIVE' if alive else 'DEAD'}\n"
        for (system, addresses), priority in lcd.paths.items():
            state = "ALIVE" if self.alive(name, system, addresses) else "DEAD"
            text += f"        to machine={system} type=TCP addresses={addresses}\n"
            text += f'                        state="{state}" priority={priority} #comm_downs=0\n'
        return 0, text

    def told(self, name, tag):
        """The other node's priority as this one has it; a resource that is gone there has none of its own."""
        own = self.lcds[self.other(name)].priorities.get(tag, 10)
        return self.lcds[name].mistaken.get(tag, own)

    def sys_create(self, name, values):
        if values["system"] in self.lcds[name].systems:
            return 4, "", "exists"
        self.lcds[name].systems.append(values["system"])
        return (0,)

    def sys_remove(self, name, values):
        self.lcds[name].systems.remove(values["system"])
        return (0,)

    def net_create(self, name, values):
        key = (values["system"], f"{values['local']}/{values['remote']}")
        if key in self.lcds[name].paths:
            return 4, "", "exists"
        self.lcds[name].paths[key] = values["priority"]
        return (0,)

    def net_remove(self, name, values):
        del self.lcds[name].paths[values["system"], f"{values['local']}/{values['remote']}"]
        return (0,)

    def create(self, name, kind, values):
        lcd, tag = self.lcds[name], values["tag"]
        if tag in lcd.instances:
            return 4, "", f"{tag} exists"
        app, sort = KINDS[kind]
        identity, info = tag, ""
        if kind == "ip":
            identity, info = f"IP-{values['ipaddr']}", f"{name} {values['device']} {values['ipaddr']} ffffff00 none"
        if kind == "qsp" and lcd.units[f"{values['service']}.service"] != "active":
            return 5, "", "the service is not running"
        if kind == "dk":
            identity = values["device"]
            lcd.signatures = f'{{"signatures": [{{"type": "{values["fstype"]}", "label": ""}}]}}'
        self.enter(name, tag, (app, sort, identity, info, "ISP", values.get("switchback", "intelligent")), 1)
        if kind == "dk":
            self.after(name, "half way")
            fs = ("gen", "filesys", values["mount_point"], values["fstype"], "ISP", "intelligent")
            self.enter(name, values["fstag"], fs, 1)
            lcd.ties.append((values["fstag"], tag))
        return (0,)

    def netraid_create(self, name, values):
        return self.create(name, "dk", values)

    def enter(self, name, tag, instance, priority):
        self.lcds[name].instances[tag] = list(instance)
        self.lcds[name].priorities[tag] = priority

    def extend(self, name, kind, values):
        lcd, far = self.lcds[name], self.lcds[values["dest"]]
        below = [child for parent, child in lcd.ties if parent == values["tag"]]
        above = [parent for parent, child in lcd.ties if child == values["tag"] and kind == "dk"]
        if values["tag"] in lcd.stale or (values["tag"] in far.instances and values["tag"] not in lcd.lone):
            return 4, "", "exists"
        if lcd.stale & {*below, *above}:
            return 7, "", "the other node lacks what is tied to it"
        if values["target_priority"] == 1:
            return 5, "", "the priorities of both systems have to differ"
        if lcd.instances[values["tag"]][4] != "ISP" or not any(self.alive(name, *each) for each in lcd.paths):
            return 5, "", "not in service, or the other node is not alive"
        for tag in (*below, values["tag"], *above):
            if tag in far.instances and tag not in lcd.lone | far.lone:
                continue
            mine = list(lcd.instances[tag])
            if mine[1] == "netraid":
                mine[2] = values.get("device") or mine[2]
            self.enter(values["dest"], tag, (*mine[:4], "OSU", values["switchback"]), values["target_priority"])
            for each in (lcd, far):
                each.lone.add(tag)
            self.after(name, "half extended")
            for each in (lcd, far):
                each.lone.discard(tag)
        far.ties += [tie for tie in lcd.ties if set(tie) <= {values["tag"], *above, *below}]
        return (0,)

    def lcdremexec(self, name, values):
        done = self.run(values["dest"], Command(tuple(values["command"])))
        return done.exit_code, f"{done.stdout}{done.stderr}"

    def canextend(self, name, values):
        """As the stand-in's; ``name`` is the target."""
        template, tag = values["template_system"], values["tag"]
        if self.lcds[template].instances[tag][4] != "ISP":
            return 5, "", "not in service"
        return (4, "", "it is extended already") if tag in self.equivalents(template) else (0,)

    def lkcli_resource_delete(self, name, values):
        tag = values["tag"]
        if any(child == tag for lcd in self.lcds.values() for _, child in lcd.ties):
            return 8, "", "something depends on it"
        if tag not in self.lcds[name].instances:
            return 7, "", "no such resource"
        lone = any(tag in lcd.lone for lcd in self.lcds.values())
        going = self.going(self.lcds[name], tag)
        for holder, lcd in self.lcds.items():
            if lone and holder != name:
                continue
            for each in going:
                lcd.instances.pop(each, None)
                lcd.priorities.pop(each, None)
            lcd.ties = [tie for tie in lcd.ties if not {*going} & set(tie)]
        return (0,)

    @staticmethod
    def going(lcd, tag):
        """The resource, and filesystems and mirrors that nothing else stands on, as the stand-in has them go."""
        going = [tag]
        for each in going:
            for parent, child in lcd.ties:
                kept = child in going or lcd.instances[child][1] in ("ip", "qsp", "app")
                others = [one for one, two in lcd.ties if two == child and one not in going]
                if parent == each and not kept and not others:
                    going.append(child)
        return going

    def dep_create(self, name, values):
        tie = (values["parent"], values["child"])
        if tie in self.lcds[name].ties:
            return 4, "", "exists"
        self.lcds[name].ties.append(tie)
        return (0,)

    def dep_remove(self, name, values):
        self.lcds[name].ties.remove((values["parent"], values["child"]))
        return (0,)

    def lkcli_dependency_create(self, name, values):
        for each in self.names:
            self.dep_create(each, values)
        return (0,)

    def eqv_create(self, name, values):
        lcd, tag = self.lcds[name], values["tag"]
        lcd.lone.discard(tag)
        lcd.priorities[tag] = values["priority"]
        if values["other_priority"] != self.lcds[self.other(name)].priorities.get(tag):
            lcd.mistaken[tag] = values["other_priority"]
        return (0,)

    def eqv_remove(self, name, values):
        lcd = self.lcds[name]
        lcd.mistaken.pop(values["tag"], None)
        if values["tag"] in lcd.stale:
            lcd.stale.discard(values["tag"])
            return (0,)
        if values["tag"] not in lcd.instances or values["tag"] in lcd.lone:
            return 7, "", "no such equivalency"
        lcd.lone.add(values["tag"])
        return (0,)

    def ins_remove(self, name, values):
        lcd, tag = self.lcds[name], values["tag"]
        if any(child == tag for _, child in lcd.ties):
            return 8, "", "something depends on it"
        if tag in self.lcds[self.other(name)].instances:
            self.lcds[self.other(name)].stale.add(tag)
        self.forget(lcd, tag)
        return (0,)

    @staticmethod
    def forget(lcd, tag):
        lcd.instances.pop(tag, None)
        for table in (lcd.priorities, lcd.mistaken, lcd.initial):
            table.pop(tag, None)
        lcd.lone.discard(tag)
        lcd.ties = [tie for tie in lcd.ties if tag not in tie]

    def ins_create(self, name, values):
        lcd, tag = self.lcds[name], values["tag"]
        self.enter(name, tag, (values["app"], values["type"], values["id"], "", "OSU", "intelligent"), 1)
        lcd.lone.add(tag)
        self.lcds[self.other(name)].stale.discard(tag)
        return (0,)

    def ins_setinfo(self, name, values):
        self.lcds[name].instances[values["tag"]][3] = values["info"]
        return (0,)

    def lkcli_resource_unextend(self, name, values):
        far, family, seen = self.lcds[values["dest"]], {values["tag"]}, 0
        while len(family) != seen:
            seen = len(family)
            family |= {tag for tie in self.lcds[name].ties if family & set(tie) for tag in tie}
        for tag in family:
            self.forget(far, tag)
        return (0,)

    def lkcli_dependency_delete(self, name, values):
        for each in self.names:
            self.dep_remove(each, values)
        return (0,)

    def ins_setinit(self, name, values):
        self.lcds[name].initial[values["tag"]] = values["initialize"]
        return (0,)

    def ins_setas(self, name, values):
        self.lcds[name].instances[values["tag"]][5] = values["switchback"].lower()
        return (0,)

    def hry_setpri(self, name, values):
        if self.lcds[self.other(name)].priorities.get(values["tags"]) == values["priority"]:
            return 5, "", "another system has the priority already"
        lcd, far, tag = self.lcds[name], self.lcds[self.other(name)], values["tags"]
        if self.silent:
            far.mistaken.setdefault(tag, lcd.priorities[tag])
        else:
            far.mistaken.pop(tag, None)
        lcd.priorities[tag] = values["priority"]
        return (0,)

    def perform_action(self, name, values):
        lcd, tag = self.lcds[name], values["tag"]
        if values["action"] == "remove":
            lcd.instances[tag][4] = "OSU"
            if lcd.instances[tag][1] == "qsp":
                lcd.units["squid.service"] = "inactive"
            return (0,)
        family, seen = {tag}, 0
        while len(family) != seen:
            seen = len(family)
            family |= {child for parent, child in lcd.ties if parent in family}
        if any(f"data_corrupt {each}" in lcd.notes for each in family):
            return 1, "", "the other node has to be back first"
        for each in family:
            other = self.lcds[self.other(name)]
            if each in other.instances:
                other.instances[each][4] = "OSU"
            lcd.instances[each][4] = "ISP"
        return (0,)

    def mirror_action(self, name, values):
        """A half that is forced, or a copy of everything, by name of source and target; seen under way from then on."""
        if values["action"] == "force":
            self.lcds[name].notes = {f"last_owner {values['tag']}"}
            return (0,)
        (target,) = values["targets"]
        here, there = (self.lcds[each].instances[values["tag"]][4] for each in (name, target))
        if (values["action"], values["source"], here) != ("fullresync", name, "ISP") or there == "ISP":
            return 5, "", "not between a source here and a target that is out of service"
        self.lcds[name].mdstat = COPYING
        return (0,)


def unreachable(node: str) -> None:
    """For `before`: the connection breaks."""
    raise Unreachable("the connection broke", node=node)
