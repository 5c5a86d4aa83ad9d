"""What LifeKeeper says on a node: one batch of its own lists, and pure parsers.

Lists are asked with a declared separator and read by index, as far as their fields are known; words that stand further
behind (switchback) are looked for by what they are, never by place. Priorities and the state of paths come from the
long lcdstatus, the one place where they are documented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, command
from providers.connection.errors import Unknown
from providers.lifekeeper import grammar

SEPARATOR = "|"
ACTION = "!action!"
ALIVE = "ALIVE"
IN_SERVICE = ("ISP", "ISU")
_STATES = ("ISP", "ISU", "OSF", "OSU", "ILLSTATE")
_NOT_THERE = (126, 127)
_NO_MATCH = 7
_STATE_FIELD = 6


@dataclass(frozen=True)
class Instance:
    """A resource on one node; ``switchback`` in small letters, '' where the list does not show it."""

    app: str
    type: str
    tag: str
    id: str
    info: str
    state: str
    switchback: str = ""


@dataclass(frozen=True)
class Path:
    """One side of a communication path: to ``system``, over ``addresses`` (``local/remote``)."""

    system: str
    addresses: str
    priority: str = ""
    state: str = ""


@dataclass(frozen=True)
class View:
    """One node's LifeKeeper. All empty where it is not installed, or does not run."""

    installed: bool = False
    running: bool = False
    instances: Mapping[str, Instance] = field(default_factory=dict[str, Instance])
    equivalents: frozenset[tuple[str, str, str]] = frozenset()
    """Tag here, other node, tag there."""
    dependencies: frozenset[tuple[str, str]] = frozenset()
    """Parent, child."""
    paths: Mapping[tuple[str, str], Path] = field(default_factory=dict[tuple[str, str], Path])
    systems: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    priorities: Mapping[str, str] = field(default_factory=dict[str, str])
    machines: Mapping[str, str] = field(default_factory=dict[str, str])

    def state(self, tag: str) -> str:
        """The resource's state here, '' where there is none."""
        return self.instances[tag].state if tag in self.instances else ""

    @property
    def busy(self) -> str:
        """The admin lock's flag, '' while nobody changes a hierarchy."""
        return next((flag for flag in self.flags if flag.startswith(ACTION)), "")


def asks(name: str, *, timeout: float = 60, **values: object) -> Command:
    """A line of the grammar that only reads; any exit code is an answer."""
    return command(*grammar.build(name, **values), ok=None, reads=True, timeout=timeout)


@cache
def queries() -> tuple[Command, ...]:
    """Everything that `parse` wants to know."""
    return (
        asks("lktest"),
        asks("ins_list", separator=SEPARATOR),
        asks("eqv_list", separator=SEPARATOR),
        asks("dep_list", separator=SEPARATOR),
        asks("net_list", separator=SEPARATOR),
        asks("sys_list"),
        asks("flg_list"),
        asks("lcdstatus"),
    )


async def read(cluster: Cluster, names: Sequence[str]) -> dict[str, View]:
    """One reading per node. Raises `Unknown` where LifeKeeper runs and does not answer."""

    async def look(node: Node) -> View:
        return parse(node.name, await node.batch(queries()))

    return await cluster.each(look, names)


async def telling(cluster: Cluster, names: Sequence[str], about: str = "its resources") -> dict[str, View]:
    """The same of nodes that can tell: where LifeKeeper is stopped its lists are empty, and nothing is gone for that.

    Raises `Unknown` where it is installed and does not run; ``about`` what nobody knows then.
    """
    seen = await read(cluster, names)
    for name, view in seen.items():
        if view.installed and not view.running:
            raise Unknown(
                f"LifeKeeper does not run, so it cannot tell about {about}", node=name, remedy="start it: `lkcli start`"
            )
    return seen


def parse(node: str, results: Sequence[Result]) -> View:
    """The answers to `queries`. Raises `Unknown` for a list that failed while LifeKeeper runs."""
    test, instances, equivalents, dependencies, paths, systems, flags, status = results
    if test.exit_code in _NOT_THERE:
        return View()
    if test.exit_code != 0:
        return View(installed=True)
    for result in results[1:]:
        refuse_failed(node, result)
    told = parse_status(status.stdout)
    return View(
        installed=True,
        running=True,
        instances={each.tag: each for each in map(_instance, _records(instances.stdout, 5))},
        equivalents=frozenset((row[1], row[2], row[3]) for row in _records(equivalents.stdout, 4)),
        dependencies=frozenset((row[0], row[1]) for row in _records(dependencies.stdout, 2)),
        paths={
            (row[0], row[1]): told.paths.get((row[0], row[1]), Path(row[0], row[1]))
            for row in _records(paths.stdout, 2)
        },
        systems=tuple(systems.stdout.split()),
        flags=tuple(line.strip() for line in flags.stdout.splitlines() if line.strip()),
        priorities=told.priorities,
        machines=told.machines,
    )


def refuse_failed(node: str, result: Result) -> None:
    """Raises `Unknown` for a list that failed: what it did not print is not known to be empty."""
    if result.exit_code in (0, _NO_MATCH):
        return
    name = result.command.argv[0].rsplit("/", 1)[-1]
    raise Unknown(
        f"`{result.command}` says: {grammar.explain(result.exit_code, name)}",
        node=node,
        remedy="see /var/log/lifekeeper.log there",
    )


def _records(text: str, fields: int) -> list[list[str]]:
    rows = (line.split(SEPARATOR) for line in text.splitlines() if line.strip())
    return [row for row in rows if len(row) >= fields]


def _instance(row: list[str]) -> Instance:
    rest = row[_STATE_FIELD:]
    state = next((index for index, word in enumerate(rest) if word in _STATES), None)
    # An info string with the separator in it shifts what follows.
    info = SEPARATOR.join(row[5 : _STATE_FIELD + (state or 0)])
    after = rest[state + 1 :] if state is not None else []
    switchback = next((word.lower() for word in after if word.upper() in ("INTELLIGENT", "AUTOMATIC")), "")
    return Instance(row[1], row[2], row[3], row[4], info, "" if state is None else rest[state], switchback)


# The long lcdstatus


@dataclass
class Status:
    """What only the long lcdstatus tells: priorities by tag, paths with state, the other machines' state."""

    priorities: dict[str, str] = field(default_factory=dict[str, str])
    paths: dict[tuple[str, str], Path] = field(default_factory=dict[tuple[str, str], Path])
    machines: dict[str, str] = field(default_factory=dict[str, str])


_RESOURCE = re.compile(r"\s*(\S+): id=.* app=\S+ type=\S+ state=\S+\s*$")
_PRIORITY = re.compile(r"\s+Local priority = (\d+)")
_MACHINE = re.compile(r"\s+machine=(\S+) state=(\w+)")
_PATH = re.compile(r'.*to machine=(\S+) type=\S+ addresses=(\S+)(?:\s+state="?(\w+)"? priority=(\d+))?')
_PATH_STATE = re.compile(r'\s+state="?(\w+)"? priority=(\d+)')


def parse_status(text: str) -> Status:
    """The long form, of which only the documented lines are looked at."""
    found = Status()
    tag = ""
    path: tuple[str, str] | None = None
    for line in text.splitlines():
        if match := _RESOURCE.match(line):
            tag = match[1]
        elif (match := _PRIORITY.match(line)) and tag:
            found.priorities[tag] = match[1]
        elif match := _PATH.match(line):
            path = (match[1], match[2])
            found.paths[path] = Path(*path, match[4] or "", match[3] or "")
        elif (match := _PATH_STATE.match(line)) and path:
            found.paths[path] = Path(*path, match[2], match[1])
            path = None
        elif match := _MACHINE.match(line):
            found.machines[match[1]] = match[2]
    return found
