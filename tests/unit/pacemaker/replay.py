"""`pulumi up` from one declaration to the next, replayed without hosts.

Blueprint and kinds are the real ones, the cluster is Pacemaker's own scheduler on a file, and Squid is what a unit, a
file and a mount make of it.

Pulumi's order: creates and updates as soon as what they depend on is done, then, last of all, deletes, each before what
it depended on.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blueprint.site import things
from blueprint.thing import Thing
from declaration.site import Site
from providers import reconcile
from providers.connection.command import Command, Result
from providers.connection.fake import FakeNode, fake_cluster
from providers.kinds import load_kind
from tests.unit.pacemaker.simulation import NODES, SimulatedCluster

OWNER = "squid-ha/lab"
CONF = "/etc/squid/squid.conf"
MIRROR = "/mnt/mirror"
ACTED = ("pacemaker.member", "pacemaker.options", "squid.config")
"""Kinds that are replayed; what the others do on hosts has no part in this."""

Choose = Callable[[list[Thing]], Thing]


def first(ready: list[Thing]) -> Thing:
    return ready[0]


def last(ready: list[Thing]) -> Thing:
    return ready[-1]


def drawn(seed: int) -> Choose:
    return random.Random(seed).choice


@dataclass
class Host:
    """A node's files and Squid's unit; ``read`` is the configuration that the running Squid has, None for none."""

    name: str
    story: list[str]
    files: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    enabled: bool = False
    read: str | None = None
    mounted: bool = False
    reads: int = 0

    def starts(self) -> None:
        self.story.append(f"{self.name}: Squid starts")
        self._reads()

    def stops(self) -> None:
        self.story.append(f"{self.name}: Squid stops")
        self.read = None

    def mounts(self) -> None:
        self.mounted = True

    def unmounts(self) -> None:
        if MIRROR in (self.read or ""):
            self.story.append(f"{self.name}: Squid dies, its log is unmounted under it")
        self.mounted = False

    def _reads(self) -> None:
        self.read, self.reads = self.files[CONF][0], self.reads + 1
        if MIRROR in self.read and not self.mounted:
            self.story.append(f"{self.name}: Squid dies, it cannot open its log on {MIRROR}")
            self.read = None

    def __call__(self, command: Command) -> Result | str:  # noqa: C901 - one case per command
        text = str(command)
        if text.startswith("read "):
            return "".join(self._shown(path) for path in text.split()[1:])
        if text.startswith("write "):
            mode, owner = command.argv[5:7]
            self.files[text.split()[1]] = ((command.stdin or b"").decode(), mode, owner)
        elif text.startswith("make the directory "):
            self.files[text.split()[3]] = ("", command.argv[5], command.argv[6])
        elif text.startswith("systemctl show"):
            state, enabled = "active" if self.read else "inactive", "enabled" if self.enabled else "disabled"
            return f"LoadState=loaded\nUnitFileState={enabled}\nActiveState={state}\nSubState=x\nNeedDaemonReload=no\n"
        elif text.startswith(("systemctl enable", "systemctl disable")):
            self.enabled = "enable" in text.split()
        elif text.startswith("systemctl start"):
            self.starts()
        elif text.startswith("systemctl stop"):
            self.stops()
        elif text.startswith("systemctl reload"):
            self._reads()
        elif text.startswith("look who listens"):
            return str(self.reads) if self.read else ""
        elif text.startswith("ask Squid"):
            return "HTTP/1.1 403 Forbidden" if self.read else Result(command, 1, "", "nobody listens")
        elif text.startswith("mountpoint"):
            return Result(command, 0 if self.mounted else 1, "", "")
        return ""

    def _shown(self, path: str) -> str:
        if path not in self.files:
            return "absent - - -\n\n"
        content, mode, owner = self.files[path]
        kind = "file" if content else "directory"
        return f"{kind} {mode} 0:0 {owner}\n{base64.b64encode(content.encode()).decode()}\n"


@dataclass
class Replay:
    """``story`` is what Squid went through; ``state`` is Pulumi's: the things that there are, by name."""

    simulated: SimulatedCluster
    story: list[str] = field(default_factory=list)
    state: dict[str, Thing] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hosts = {name: Host(name, self.story) for name in NODES}
        self.seen = 0

    async def up(self, site: Site, choose: Choose = first) -> None:
        """Make ``site`` true; cut off anywhere it may be called again, as `pulumi up` may."""
        wanted = {thing.name: thing for thing in things(site, OWNER)}
        self.refuse(wanted)
        done: set[str] = set()
        while left := [thing for thing in wanted.values() if thing.name not in done]:
            thing = choose([each for each in left if done >= set(each.after)])
            await self._apply(thing, site)
            done.add(thing.name)
        while gone := [thing for name, thing in self.state.items() if name not in wanted]:
            needed = {name for thing in self.state.values() for name in thing.after}
            await self._remove(choose([thing for thing in gone if thing.name not in needed]))

    def refuse(self, wanted: dict[str, Thing]) -> None:
        """As the binding's check."""
        for name, thing in wanted.items():
            judge = getattr(load_kind(thing.kind), "refusal", None)
            if judge and name in self.state:
                refused = judge(self.state[name].inputs, thing.inputs)
                assert refused is None, refused

    async def _apply(self, thing: Thing, site: Site) -> None:
        before = self.state.get(thing.name)
        if thing.kind in ACTED and (before is None or before.inputs != thing.inputs):
            self.told.append(thing.name)
            previous = before.inputs if before else None
            cluster = self._cluster(thing, [node.name for node in site.nodes])
            await reconcile.apply(thing.kind, cluster, thing.inputs, previous=previous)
        self.state[thing.name] = thing

    async def _remove(self, thing: Thing) -> None:
        self.told.append(f"-{thing.name}")
        if thing.kind in ACTED:
            await reconcile.remove(thing.kind, self._cluster(thing, NODES), thing.inputs)
        if thing.kind.startswith("storage."):
            assert not any(host.mounted for host in self.hosts.values()), "storage is taken away while it is in use"
        del self.state[thing.name]

    def _cluster(self, thing: Thing, names: Sequence[str]) -> Any:
        nodes = [FakeNode(name, lambda command, name=name: self._answer(name, command)) for name in names]
        return fake_cluster(*nodes, thing=thing.name, owner=OWNER, journals=self.simulated.journals)

    def _answer(self, name: str, command: Command) -> Result | str:
        host = self.hosts[name]
        if command.argv[0] in ("cibadmin", "crm_mon", "crm_resource") or "cibadmin" in command.label:
            return self._ask_cluster(command)
        answer = host(command)
        if host.read and not self._known():
            self.simulated.outside = {"squid": name}
        return answer

    def _known(self) -> bool:
        return '<primitive id="squid"' in self.simulated.file.read_text()

    def _ask_cluster(self, command: Command) -> Result | str:
        try:
            return self.simulated.answer(command)
        finally:
            self._follow()

    def _follow(self) -> None:
        """What the cluster did since the last look, on the hosts."""
        new, self.seen = self.simulated.actions[self.seen :], len(self.simulated.actions)
        for resource, action, node in new:
            host = self.hosts[node]
            {
                ("squid", "start"): host.starts,
                ("squid", "stop"): host.stops,
                ("filesystem", "start"): host.mounts,
                ("filesystem", "stop"): host.unmounts,
            }.get((resource, action), lambda: None)()

    def move(self, attribute: str, away_from: str) -> None:
        """Let the service go to the other node, as when this one loses the clients' network for a while."""
        for value in ("0", "1"):
            self.simulated.set_attribute(attribute, {away_from: value})
            self._follow()

    def serving(self) -> list[str]:
        """Nodes where a Squid runs."""
        return [name for name, host in self.hosts.items() if host.read]
