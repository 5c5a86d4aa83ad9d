"""What LifeKeeper says on a node: one batch of its own lists, and pure parsers.

Lists are asked with a declared separator and read by index, as far as their fields are known; words that stand further
behind (switchback) are looked for by what they are, never by place. Initialization, priorities, dependencies,
equivalencies and paths come from the long lcdstatus, the one place where they are documented; the lists of the last
three have to agree.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, command, script
from providers.connection.errors import Unknown
from providers.host import waiting
from providers.lifekeeper import grammar
from providers.lifekeeper.lcdstatus import Path, Status, lines_of, parse_status

SEPARATOR = "|"
ACTION = "!action!"
ALIVE = "ALIVE"
IN_SERVICE = ("ISP", "ISU")
_STATES = ("ISP", "ISU", "OSF", "OSU", "ILLSTATE")
_NOT_THERE = (126, 127)
_NO_MATCH = 7
_STATE_FIELD = 6
_Key = TypeVar("_Key", bound=tuple[str, ...])
_Seen = TypeVar("_Seen", bound=Mapping[str, "View"])
# Not a serial device: how lcdstatus shows such a path is not documented.
_ADDRESSES = re.compile(r"[^/]+/[^/]+")
AGAIN = (1.0, 3.0)
"""Seconds before each further reading of lists that contradict each other."""


class Contradicting(Unknown):
    """Two of LifeKeeper's own lists do not agree: not read at one moment, or not printed as this program takes it."""


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
    names: frozenset[str] = frozenset()
    """Paths of the disk that is its id; none of what is no mirror's, or has another id."""


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
    peer_priorities: Mapping[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    """Tag here, other node, tag there → the other node's priority as this one has it."""
    initial: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tag → what becomes of it when LifeKeeper starts, as in `ins_setinit`; none where that is not shown."""
    machines: Mapping[str, str] = field(default_factory=dict[str, str])

    def misnamed(self, node: str) -> str:
        """Under which names LifeKeeper knows this node's systems, where none is the node's own; else ''."""
        return "" if node in self.systems else " and ".join(self.systems)

    def state(self, tag: str) -> str:
        """The resource's state here, '' where there is none."""
        return self.instances[tag].state if tag in self.instances else ""

    @property
    def starting(self) -> bool:
        """Whether LifeKeeper has not looked at all of its resources yet."""
        return any(each.state == "ILLSTATE" for each in self.instances.values())

    @property
    def busy(self) -> str:
        """The admin lock's flag, '' while nobody changes a hierarchy."""
        return next((flag for flag in self.flags if flag.startswith(ACTION)), "")


def asks(name: str, *, timeout: float = 60, **values: object) -> Command:
    """A line of the grammar that only reads; any exit code is an answer."""
    return command(*grammar.build(name, **values), ok=None, reads=True, timeout=timeout)


# $@ the line that lists the resources: of each mirror the id, which is a disk, and behind it all paths of that disk.
_DISKS = r"""
"$@" | while IFS='|' read -r _ app type _ id _; do
  case "$app/$type $id" in 'scsi/netraid /dev/'*) ;; *) continue ;; esac
  echo "$id" $(udevadm info --root --query=name --name="$id") \
    $(udevadm info --root --query=symlink --name="$id")
done 2>/dev/null
"""


@cache
def lists() -> tuple[Command, ...]:
    """What LifeKeeper itself is asked."""
    return (
        asks("lktest"),
        asks("ins_list", separator=SEPARATOR),
        asks("eqv_list", separator=SEPARATOR, equivalency="SHARED"),
        asks("dep_list", separator=SEPARATOR),
        asks("net_list", separator=SEPARATOR),
        asks("sys_list"),
        asks("flg_list"),
        asks("lcdstatus"),
    )


@cache
def queries() -> tuple[Command, ...]:
    """Everything that `parse` wants to know: the lists, and by which names their disks are known."""
    return (*lists(), _disks())


def _disks() -> Command:
    resources = grammar.build("ins_list", separator=SEPARATOR)
    return script(_DISKS, *resources, ok=None, reads=True, label="look for the names of the mirrors' disks")


async def read(cluster: Cluster, names: Sequence[str]) -> dict[str, View]:
    """One reading per node. Raises `Unknown` where LifeKeeper runs and does not answer, or contradicts itself."""

    async def look(node: Node) -> View:
        for pause in AGAIN:
            try:
                return parse(node.name, await node.batch(queries()))
            except Contradicting:
                # The lists are asked one after the other, and somebody may change a hierarchy in between.
                await asyncio.sleep(pause)
        return parse(node.name, await node.batch(queries()))

    return await cluster.each(look, names)


async def until(
    ask: Callable[[], Awaitable[_Seen]],
    holds: Callable[[_Seen], bool],
    limit: float,
    *,
    report: Callable[[_Seen, float], None] | None = None,
) -> tuple[_Seen, bool]:
    """`providers.host.waiting.until` for views. Lists that contradict each other do not hold yet: what is waited for
    changes them under the reading.

    Raises `Contradicting` where they still do at the end.
    """

    async def look() -> _Seen | Contradicting:
        try:
            return await ask()
        except Contradicting as contradiction:
            return contradiction

    def tell(told: _Seen | Contradicting, waited: float) -> None:
        if report is not None and not isinstance(told, Contradicting):
            report(told, waited)

    told, held = await waiting.until(
        look, lambda each: not isinstance(each, Contradicting) and holds(each), limit, report=tell
    )
    if isinstance(told, Contradicting):
        raise told
    return told, held


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
    """The answers to `queries`.

    Raises `Unknown` for a list that failed while LifeKeeper runs, `Contradicting` where two do not agree.
    """
    test, instances, equivalents, dependencies, paths, systems, flags, status, disks = results
    if test.exit_code in _NOT_THERE:
        return View()
    if test.exit_code != 0:
        return View(installed=True)
    for result in results[1:-1]:
        refuse_failed(node, result)
    told = parse_status(status.stdout)
    named = {words[0]: frozenset(words) for line in lines_of(disks.stdout) if (words := line.split())}
    found = {each.tag: each for each in (_instance(row, named) for row in _records(instances.stdout, 5))}

    # What lcdstatus shows below a resource it cannot show of one that is gone, and need not of one that is no kind of
    # a site's.
    compared = told.tags | {tag for tag, each in found.items() if (each.app, each.type) in _kinds()}

    def of_resource(row: list[str]) -> bool:
        return not compared.isdisjoint(row[:2])

    tied, _ = _parted(_records(dependencies.stdout, 2), of_resource)
    same, left = _parted(_records(equivalents.stdout, 4), of_resource)
    between, serial = _parted(_records(paths.stdout, 2), lambda row: _ADDRESSES.fullmatch(row[1]) is not None)
    names = tuple(systems.stdout.split())
    # A system without a path to it is not heard, and no page says whether the status has a line of it.
    wired = {system for system, _ in told.paths} | {row[0] for row in serial}
    others = [each for each in names if each != node and each in wired]
    _refuse_contradicting(node, told, tied, same, between, others)
    return View(
        installed=True,
        running=True,
        instances=found,
        equivalents=frozenset({*told.equivalents, *((row[1], row[2], row[3]) for row in left)}),
        dependencies=frozenset(told.dependencies),
        paths={**told.paths, **{(row[0], row[1]): Path(row[0], row[1]) for row in serial}},
        systems=names,
        flags=tuple(line.strip() for line in lines_of(flags.stdout) if line.strip()),
        priorities=told.priorities,
        peer_priorities=told.peer_priorities,
        initial=told.initial,
        machines=told.machines,
    )


@cache
def _kinds() -> frozenset[tuple[str, str]]:
    return frozenset((each.app, each.type) for each in grammar.load().resources.values())


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
    rows = (line.split(SEPARATOR) for line in lines_of(text) if line.strip())
    return [row for row in rows if len(row) >= fields]


def _parted(rows: list[list[str]], by: Callable[[list[str]], bool]) -> tuple[list[list[str]], list[list[str]]]:
    return [row for row in rows if by(row)], [row for row in rows if not by(row)]


def _instance(row: list[str], named: Mapping[str, frozenset[str]]) -> Instance:
    rest = row[_STATE_FIELD:]
    state = next((index for index, word in enumerate(rest) if word in _STATES), None)
    # An info string with the separator in it shifts what follows.
    info = SEPARATOR.join(row[5 : _STATE_FIELD + (state or 0)])
    after = rest[state + 1 :] if state is not None else []
    switchback = next((word.lower() for word in after if word.upper() in ("INTELLIGENT", "AUTOMATIC")), "")
    return Instance(
        row[1],
        row[2],
        row[3],
        row[4],
        info,
        "" if state is None else rest[state],
        switchback,
        named.get(row[4], frozenset()),
    )


# Lists of which not every field is documented, beside the lcdstatus


def _refuse_contradicting(
    node: str,
    told: Status,
    dependencies: list[list[str]],
    equivalents: list[list[str]],
    paths: list[list[str]],
    others: Sequence[str],
) -> None:
    """Raises `Contradicting` unless each list has what lcdstatus says, and nothing else.

    Only what is known of the fields counts: not which of two resources depends on the other, nor where in an
    equivalency the own tag stands, nor what names a path beside its addresses. Of ``others``, the systems that
    this one has a path to, it has to say whether they are alive: one whose state was not read is not off.
    """
    pairs = {_either_way(pair): line for pair, line in told.dependencies.items()}
    differing = [
        *_differing("dep_list", {_either_way(row[:2]): row for row in dependencies}, pairs),
        *_differing("eqv_list", {_equivalency(row, told): row for row in equivalents}, told.equivalents),
        *_differing(
            "net_list", {(row[1],): row for row in paths}, {(key,): each for key, each in told.connections.items()}
        ),
        *_differing("sys_list", {(f"machine={each}",): [each] for each in others if each not in told.machines}, {}),
    ]
    if differing:
        raise Contradicting(
            f"LifeKeeper's own lists contradict each other: {'; '.join(differing)}",
            node=node,
            remedy="run this again when nobody changes a hierarchy; if it is told then too, this LifeKeeper prints its "
            "lists otherwise than squid-ha takes them to be: please report it with these lines",
        )


def _differing(name: str, listed: Mapping[_Key, list[str]], said: Mapping[_Key, str]) -> Iterable[str]:
    for key, row in listed.items():
        if key not in said:
            yield f"`{name}` has `{SEPARATOR.join(row)}`, and `lcdstatus` no line of {', '.join(key)}"
    for key, line in said.items():
        if key not in listed:
            yield f"`lcdstatus` has `{line}`, and `{name}` no line of {', '.join(key)}"


def _either_way(pair: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(pair))


def _equivalency(row: list[str], told: Status) -> tuple[str, str, str]:
    """Tag here, other node, tag there: the own tag is one of the first two fields."""
    natural, other = (row[1], row[2], row[3]), (row[0], row[2], row[3])
    return other if other in told.equivalents else natural
