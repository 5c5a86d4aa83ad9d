"""Two nodes with DRBD in memory: enough of it to cut a run off at every command and run it again.

It asserts what must never happen: metadata or a filesystem made over anything that is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers.connection.cluster import Cluster, Journal, Node
from providers.connection.command import Command, Result
from providers.connection.errors import Unreachable
from providers.connection.fake import FakeJournal, FakeNode, fake_cluster
from providers.host.settings import FileState, NodeSettings
from providers.storage import filesystem, mirror
from providers.storage.filesystem_types import MAKING
from providers.storage.resource_file import ResourceFile, ResourceHost, render

DEVICE, VOLUME, RESOURCE, MOUNT = "/dev/disk/by-id/virtio-data", "/dev/drbd0", "squid-ha", "/mnt/mirror"
PATH = f"/etc/drbd.d/{RESOURCE}.res"
HOSTS = [
    ResourceHost(name="qsp-a", address="172.16.77.11"),
    ResourceHost(name="qsp-b", address="172.16.77.12"),
]
TEXT = render(ResourceFile(resource=RESOURCE, volume=VOLUME, device=DEVICE, hosts=HOSTS, fencing=True))
HALF = mirror.NodeMirror(settings=NodeSettings(files={PATH: FileState(content=TEXT, mode="0600", owner="root:root")}))
MIRROR = mirror.Wanted(resource=RESOURCE, volume=VOLUME, device=DEVICE, nodes={"qsp-a": HALF, "qsp-b": HALF})
WIPED = MIRROR.model_copy(update={"on_remove": "wipe", "filesystem": "ext3", "label": "squid-mirror"})
FILESYSTEM = filesystem.Wanted(
    resource=RESOURCE,
    volume=VOLUME,
    type="ext3",
    label="squid-mirror",
    mount_point=MOUNT,
    mount_points={"qsp-a": "0000 root:root i", "qsp-b": "0000 root:root i"},
    directories={"squid": "0750 proxy:proxy", "rotation": "0700 root:root"},
    files={"squid/access.log": "0640 proxy:proxy"},
)


@dataclass
class Cut:
    """Where the connection breaks: at the n-th change, before or after it takes effect; 0 for never."""

    at: int = 0
    after: bool = False
    changes: int = 0

    def through(self, name: str, act: Callable[[], Result | str]) -> Result | str:
        self.changes += 1
        if self.changes == self.at and not self.after:
            raise Unreachable("cut", node=name)
        answer = act()
        if self.changes == self.at:
            raise Unreachable("cut", node=name)
        return answer


@dataclass
class Box:
    """One node. ``generation``: None no metadata, 0 just created. ``content``: type and label on the disk.

    ``directories`` holds the files as well; ``options`` is how the volume is mounted.
    """

    name: str
    generation: int | None = None
    content: tuple[str, str] | None = None
    directories: dict[str, str] = field(default_factory=dict[str, str])
    serial: str = "data"
    uses: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    mountpoints: list[str | None] = field(default_factory=lambda: [None])
    file: tuple[str, str] | None = None
    saved: tuple[str, str] | None = None
    module: bool = False
    up: bool = False
    alone: bool = False
    role: str = "Secondary"
    mounted: str = ""
    unreadable: bool = False
    options: str = "rw,relatime"
    others: str = ""
    """Lines of DRBD's resources that are none of the site's: name, what it uses, and that by its own name."""
    bare: str | None = None
    managed: str = "no"

    @property
    def state(self) -> object:
        """All of it that a run should leave the same, wherever it was cut."""
        return (self.generation, self.content, self.directories, self.file is None, self.file and self.file[0],
                self.module, self.up, self.role, self.bare)  # fmt: skip


class World:
    """Both nodes, what is cut, and the journals."""

    def __init__(self) -> None:
        self.boxes = {name: Box(name) for name in ("qsp-a", "qsp-b")}
        self.cut = Cut()
        self.journals: dict[tuple[str, str], FakeJournal] = {}
        self.nodes = {name: FakeNode(name, self._answer(box)) for name, box in self.boxes.items()}
        self.secrets = 0

    def cluster(self, thing: str, *, takeover: bool = False) -> Cluster:
        made = fake_cluster(*self.nodes.values(), thing=thing, takeover=takeover)
        return Cluster(made.site, made.owner, made.nodes, self._journal, made.progress, thing, takeover)

    def _journal(self, node: Node, thing: str) -> Journal:
        return self.journals.setdefault((node.name, thing), CutJournal({}, self, node.name))

    def _answer(self, box: Box) -> Callable[[Command], Result | str]:
        def answer(command: Command) -> Result | str:
            act = lambda: self.act(box, command)  # noqa: E731
            return self.cut.through(box.name, act) if command.writes else act()

        return answer

    def other(self, box: Box) -> Box:
        return next(each for each in self.boxes.values() if each is not box)

    def connected(self, box: Box) -> bool:
        peer = self.other(box)
        return box.up and peer.up and not box.alone and not peer.alone and box.file == peer.file

    def disk(self, box: Box) -> str:
        if not box.up:
            return ""
        if box.generation:
            return "UpToDate"
        return "Inconsistent"

    def act(self, box: Box, command: Command) -> Result | str:
        said = str(command)
        for start, method in ACTIONS:
            if said.startswith(start):
                return method(self, box, command)
        raise AssertionError(f"the model does not know: {said}")

    # what only reads

    def others(self, box: Box, command: Command) -> str:
        return f"{box.others}{command.argv[-1]}\n"

    def lsblk(self, box: Box, command: Command) -> str:
        children = list(box.uses) + ([{"name": VOLUME, "type": "disk"}] if box.up else [])
        row = {"name": "/dev/vdb", "type": "disk", "size": 5368709120, "serial": box.serial, "ro": False,
               "mountpoints": box.mountpoints, "children": children}  # fmt: skip
        return json.dumps({"blockdevices": [row]})

    def signatures(self, box: Box, command: Command) -> Result | str:
        if box.unreadable:
            return Result(command, 1, "", "probing initialization failed: Input/output error")
        rows = [{"type": box.content[0], "label": box.content[1]}] if box.content else []
        if VOLUME in str(command):
            if box.role != "Primary":
                return Result(command, 1, "", "Wrong medium type")
        elif box.generation is not None:
            rows.append({"type": "drbd", "label": ""})
        return json.dumps({"signatures": rows})

    def configuration(self, box: Box, command: Command) -> str:
        if box.file is None:
            return ""
        return f"0600 root:root\ndigest-of-{box.file[1]}\n{box.file[0]}"

    def events(self, box: Box, command: Command) -> str:
        if not box.up:
            return "exists -\n"
        peer = self.other(box)
        link = "Connected" if self.connected(box) else "StandAlone" if box.alone else "Connecting"
        return (
            f"exists resource name:{RESOURCE} role:{box.role} suspended:no\n"
            f"exists connection name:{RESOURCE} connection:{link} role:{peer.role}\n"
            f"exists device name:{RESOURCE} volume:0 minor:0 disk:{self.disk(box)} size:5242684\n"
            f"exists peer-device name:{RESOURCE} volume:0 replication:Established "
            f"peer-disk:{self.disk(peer) if link == 'Connected' else 'DUnknown'} out-of-sync:0\n"
            "exists -\n"
        )

    def generation(self, box: Box, command: Command) -> str:
        first = "0000000000000004" if box.generation == 0 else f"{box.generation or 0:016X}"
        zero = "0" * 16
        return f"{first}:{zero}:{zero}:{zero}:0:0:0:1:0:1:0\n" if box.up else ""

    def managed(self, box: Box, command: Command) -> str:
        return f"{box.managed}\n"

    def pending(self, box: Box, command: Command) -> str:
        if box.file is None:
            return ""
        return "" if box.up and not box.alone else "connect\n" if box.up else "new-resource\nattach\nconnect\n"

    def findmnt(self, box: Box, command: Command) -> str:
        if "--json" not in command.argv:
            return f"{box.mounted}\n" if box.mounted else ""
        rows = [{"target": "/", "source": "/dev/vda", "fstype": "ext4"}]
        if box.mounted:
            rows.append({"target": box.mounted, "source": VOLUME, "fstype": "ext3", "options": box.options})
        return json.dumps({"filesystems": rows})

    def has_module(self, box: Box, command: Command) -> Result:
        return Result(command, 0 if box.module else 1, "", "")

    def tell(self, box: Box, command: Command) -> str:
        return f"{box.file[1]}\n" if box.file else ""

    def beneath(self, box: Box, command: Command) -> str:
        return f"missing {MOUNT}\n" if box.bare is None else "{} {}\n{}\n".format(*_split(box.bare))

    def listed(self, box: Box, command: Command) -> str:
        return "".join(f"{state} {path}\n" for path, state in box.directories.items())

    def silent(self, box: Box, command: Command) -> str:
        return ""

    # what changes

    def save(self, box: Box, command: Command) -> str:
        box.saved = box.file
        return ""

    def write(self, box: Box, command: Command) -> str:
        secret, _, text = (command.stdin or b"").decode().partition("\n")
        if not secret:
            self.secrets += 1
            secret = f"secret-{self.secrets}"
        box.file = (text, secret)
        return ""

    def restore(self, box: Box, command: Command) -> str:
        box.file, box.saved = box.saved, None
        return ""

    def modprobe(self, box: Box, command: Command) -> str:
        box.module = True
        return ""

    def unload(self, box: Box, command: Command) -> str:
        assert not box.up
        box.module = False
        return ""

    def create(self, box: Box, command: Command) -> str:
        assert box.generation is None, "metadata over metadata"
        assert box.content is None, "metadata over data"
        assert box.module
        box.generation = 0
        return ""

    def adjust(self, box: Box, command: Command) -> str:
        assert box.generation is not None
        assert box.managed == "no" or box.up, "taken up under Pacemaker's feet"
        box.up, box.alone = True, False
        self.synchronise()
        return ""

    def synchronise(self) -> None:
        """A half without data gets it from the other, as DRBD does at once when they meet."""
        first, second = self.boxes.values()
        if self.connected(first) and first.generation != second.generation:
            assert not (first.generation and second.generation), "two generations: split brain"
            source = first if first.generation else second
            for box in (first, second):
                box.generation, box.content = source.generation, source.content
                box.directories = dict(source.directories)

    def first_generation(self, box: Box, command: Command) -> str:
        assert all(each.generation == 0 and each.content is None for each in self.boxes.values())
        assert self.connected(box)
        for each in self.boxes.values():
            each.generation = 7
        return ""

    def primary(self, box: Box, command: Command) -> str:
        assert self.connected(box)
        assert self.disk(box) == "UpToDate"
        assert self.other(box).role == "Secondary"
        box.role = "Primary"
        return ""

    def secondary(self, box: Box, command: Command) -> str:
        assert not box.mounted
        box.role = "Secondary"
        return ""

    def down(self, box: Box, command: Command) -> str:
        assert not box.mounted
        box.up, box.role = False, "Secondary"
        return ""

    def wipe(self, box: Box, command: Command) -> str:
        seen = command.argv[-1].split("\n")
        assert box.content is None or ",".join(box.content) in seen, "wiped what nobody has looked at"
        assert box.generation is None or "drbd," in seen
        self.down(box, command)
        box.generation, box.content, box.directories = None, None, {}
        return ""

    def guard(self, box: Box, command: Command) -> str:
        box.bare = str(command).partition(": ")[2]
        return ""

    def unguard(self, box: Box, command: Command) -> str:
        box.bare = None
        return ""

    def mkfs(self, box: Box, command: Command) -> str:
        assert box.role == "Primary"
        assert box.content is None or box.content[1] == MAKING, "mkfs over a filesystem"
        self._both(("ext3", MAKING), {})
        return ""

    def relabel(self, box: Box, command: Command) -> str:
        assert box.role == "Primary"
        self._both(("ext3", command.argv[2]), box.directories)
        return ""

    def directories(self, box: Box, command: Command) -> str:
        assert box.mounted or box.role == "Primary"
        words = command.argv[10:]
        made = {words[i + 1]: f"{words[i + 2]} {words[i + 3]}" for i in range(0, len(words), 4)}
        self._both(box.content, {**box.directories, **made})
        return ""

    def remount(self, box: Box, command: Command) -> str:
        """As the kernel shows it afterwards: what is usual is left out."""
        assert command.argv[-1] == box.mounted
        given = [each for each in command.argv[-2].split(",")[1:] if each not in {"async", "commit=5"}]
        box.options = ",".join(["rw", "relatime", *given])
        return ""

    def _both(self, content: tuple[str, str] | None, directories: Mapping[str, str]) -> None:
        for each in self.boxes.values():
            each.content, each.directories = content, dict(directories)


def _split(state: str) -> tuple[str, str, str]:
    mode, owner, flag = [*state.split(" "), ""][:3]
    return mode, owner, flag


ACTIONS: list[tuple[str, Callable[[World, Box, Command], Result | str]]] = [
    ("lsblk", World.lsblk),
    ("drbdadm sh-resources", World.others),
    ("wipefs --no-act", World.signatures),
    (f"read {PATH} without", World.configuration),
    ("drbdsetup events2", World.events),
    ("drbdsetup get-gi", World.generation),
    ("ask Pacemaker", World.managed),
    ("drbdadm --dry-run", World.pending),
    ("findmnt", World.findmnt),
    ("test -d /sys/module", World.has_module),
    ("read the shared secret", World.tell),
    ("look beneath", World.beneath),
    ("read directories", World.listed),
    ("stat directories", World.listed),
    ("read the kernel's messages", World.silent),
    (f"keep {PATH}", World.save),
    (f"write {PATH}", World.write),
    (f"take back {PATH}", World.restore),
    ("modprobe drbd", World.modprobe),
    ("modprobe -r", World.unload),
    ("drbdadm create-md", World.create),
    ("drbdadm adjust", World.adjust),
    ("drbdadm new-current-uuid", World.first_generation),
    ("drbdadm primary", World.primary),
    ("drbdadm secondary", World.secondary),
    ("drbdsetup down", World.down),
    ("wipe ", World.wipe),
    ("guard", World.guard),
    (f"remove {MOUNT}", World.unguard),
    ("mkfs", World.mkfs),
    ("flush", World.silent),
    ("tune2fs", World.relabel),
    ("make directories", World.directories),
    ("mount --options-source disable --options remount", World.remount),
    ("udevadm", World.silent),
]


class CutJournal(FakeJournal):
    """A journal whose writing is cut like any other change."""

    def __init__(self, values: dict[str, str], world: World, name: str) -> None:
        super().__init__(values)
        self._world, self._name = world, name

    async def record(self, values: Mapping[str, str]) -> None:
        self._change({**values, **self.values})

    async def put(self, values: Mapping[str, str]) -> None:
        self._change({**self.values, **values})

    async def drop(self, names: object) -> None:
        assert isinstance(names, list)
        self._change({name: text for name, text in self.values.items() if name not in names})

    async def forget(self) -> None:
        self._change({})

    def _change(self, values: dict[str, str]) -> None:
        def act() -> str:
            self.values = values
            return ""

        self._world.cut.through(self._name, act)
