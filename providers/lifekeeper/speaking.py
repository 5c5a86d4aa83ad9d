"""Lines as data, and saying them: assumed ones are held against the product's own help first, one at a time.

A line is built by the grammar only. What is not LifeKeeper's (systemctl, mount) is a line without a grammar's name.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, command, script
from providers.connection.errors import CommandFailed, HostError, Refused, TimedOut, Unknown
from providers.host.waiting import until
from providers.lifekeeper import defaults, grammar
from providers.lifekeeper.grammar.models import Setting, SystemLine, Unit
from providers.lifekeeper.lcdstatus import lines_of
from providers.lifekeeper.views import ACTION, asks, refuse_failed

Certainty = Literal["confirmed", "documented", "assumed", "system"]

BUSY_LIMIT = 300.0
"""Seconds that somebody else's change of a hierarchy is waited for."""
WRITE_LIMIT = 900.0
"""Seconds that a creation or an extension may take."""
PEER_LIMIT = 120.0
"""Seconds that LifeKeeper may take to reach the other node, for a line that is repeated until then."""
SILENT_FOR = 60.0
"""Seconds that another node which gave no answer is not asked again whether a hierarchy is being changed there."""
_NO_ANSWER, _EXISTS, _NOT_THERE = 9, 4, 7
_REPEATED: Mapping[str, int | None] = {
    **dict.fromkeys(("sys_create", "net_create", "dep_create", "eqv_create"), _EXISTS),
    **dict.fromkeys(("sys_remove", "net_remove", "dep_remove", "eqv_remove"), _NOT_THERE),
    **dict.fromkeys(("ins_setas", "hry_setpri")),
}
"""What may be said again after "cannot talk to the other system" → how it ends where its effect is there already.

Each changes one entry of LifeKeeper's database, and no kit's script takes part. All else is said once: it may have been
carried out in part, and what was safe while the nodes heard each other need not be so later.
"""


@dataclass
class _Run:
    """Of this run and a site. ``silent``: node → when it is asked again, by the event loop's clock.

    ``compared``: node → command of the grammar → what of it (`Line.used`) its help there was found to have.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    silent: dict[str, float] = field(default_factory=dict[str, float])
    comparing: asyncio.Lock = field(default_factory=asyncio.Lock)
    compared: dict[str, dict[str, set[str]]] = field(default_factory=dict[str, "dict[str, set[str]]"])


_RUNS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Run]] = WeakKeyDictionary()
_DECLARED: dict[str, Mapping[str, Sequence[str]]] = {}
"""Site → what of its lines nobody has seen (`assumed_of`), as this process's run declares it: that is told by threads
of Pulumi's, which have no event loop."""


@dataclass(frozen=True)
class Line:
    """What is run on ``node``: ``name`` of the grammar with ``values``, or a program of the system with its ``argv``.

    ``page`` is the wizards' page, or the step by hand, that it stands for. ``known``: the grammar's entry that a line
    with ``argv`` comes from.
    """

    node: str
    name: str
    page: str
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    argv: tuple[str, ...] = ()
    known: Setting | SystemLine | Unit | None = None

    @property
    def words(self) -> list[str]:
        """The line as it is run."""
        return list(self.argv) if self.argv else grammar.build(self.name, **self.values)

    @property
    def used(self) -> list[str]:
        """Names of the options that it has, and ``name=choice`` for each choice that nobody has seen."""
        names = [name for name, value in self.values.items() if value is not None and value is not False]
        assumed = grammar.load().command(self.name).assumed_choices
        return names + [f"{name}={self.values[name]}" for name in names if self.values[name] in assumed.get(name, ())]

    @property
    def certainty(self) -> Certainty:
        """How well it is known that the product takes this line."""
        if self.argv:
            return self.known.certainty if self.known else "system"
        return grammar.load().command(self.name).certainty_of(self.values)

    @property
    def source(self) -> tuple[str, ...]:
        """Where the grammar has it from."""
        if self.argv:
            return self.known.source if self.known else ()
        return grammar.load().command(self.name).source


def system(node: str, page: str, *argv: str, known: SystemLine | Unit | None = None) -> Line:
    """A program of the operating system; ``known``: the grammar's entry that says how well the product takes it."""
    return Line(node, "", page, argv=argv, known=known)


def setting(node: str, key: str, value: str) -> Line:
    """A line of /etc/default/LifeKeeper, to be shown. Raises `KeyError` for a key that the grammar has not."""
    return Line(node, "", f"Setting in {defaults.PATH}", argv=(f"{key}={value}",), known=grammar.load().setting(key))


def declare(site: str, assumed: Mapping[str, Sequence[str]]) -> None:
    """Have all of this compared before the first line that sets the site up (`check_site`)."""
    _DECLARED[site] = assumed


async def check_site(cluster: Cluster) -> None:
    """Hold all that the site assumes against the product's own help on all its nodes, once in a run.

    What a run says first may be known for certain, and would be in place when an assumed line is refused. Not asked for
    by removals and moves, which must not depend on lines that are not theirs. Raises `Refused` as `check` does.
    """
    assumed = _DECLARED.get(cluster.site, {})
    # Things without an order between them ask once; each waits for the answer.
    async with _run_of(cluster).comparing:
        await cluster.each(lambda node: compare(cluster, node.name, assumed))


async def check(cluster: Cluster, lines: Sequence[Line]) -> None:
    """Hold the assumed among these lines against the product's own help on their nodes.

    Raises `Refused` with the line expected and the line found; nothing has been written then.
    """
    for node in dict.fromkeys(line.node for line in lines):
        await compare(cluster, node, assumed_of([line for line in lines if line.node == node]))


def assumed_of(lines: Sequence[Line]) -> dict[str, list[str]]:
    """Commands whose lines here have a part that nobody has seen → what is used of them, as `Line.used` names it."""
    used: dict[str, set[str]] = {}
    for line in lines:
        if line.name and line.certainty == "assumed" and grammar.load().command(line.name).help:
            used.setdefault(line.name, set()).update(line.used)
    return {name: sorted(options) for name, options in used.items()}


async def compare(cluster: Cluster, node: str, assumed: Mapping[str, Sequence[str]]) -> None:
    """Hold these commands' options against the help on ``node``, unless this run has. Raises `Refused` like `check`."""
    known = _run_of(cluster).compared.setdefault(node, {})
    left = {name: used for name, used in assumed.items() if name not in known or not known[name].issuperset(used)}
    if not left:
        return
    answers = await cluster.node(node).batch([asks_help(name) for name in left])
    for (name, used), answer in zip(left.items(), answers, strict=True):
        _compare(node, name, answer, used)
        known.setdefault(name, set()).update(used)


def asks_help(name: str) -> Command:
    """The product's own help for a command of the grammar."""
    known = grammar.load().command(name)
    program = f"{grammar.load().product.root}/{known.program}"
    return command(program, *known.words, "--help", ok=None, reads=True)


def remedy(asked: Command) -> str:
    """What to do where the product's help, as ``asked`` for, does not have what is assumed."""
    return (
        "if the recovery kit was left out of LifeKeeper's setup there, install it; else correct "
        f"providers/lifekeeper/grammar/grammar.yaml by `{asked}` on the node; a help that ends with another exit code "
        "is declared there under `codes: help`"
    )


def _compare(node: str, name: str, answer: Result, used: Sequence[str]) -> None:
    found = grammar.differences(name, f"{answer.stdout}\n{answer.stderr}", used, answer.exit_code)
    if found:
        lines = "\n".join(f"    expected {each.expected}, found {each.found or 'nothing'}" for each in found)
        raise Refused(
            f"this LifeKeeper does not take `{name}` as it is assumed here, so nothing was written:\n{lines}",
            node=node,
            remedy=remedy(answer.command),
        )


async def say(cluster: Cluster, line: Line) -> Result:
    """Run a line that writes, when nobody else changes a hierarchy. Raises `CommandFailed` with what the code means.

    Raises `TimedOut`, `Unknown` as `wait_idle` and `say_plainly` do.
    """
    async with _one_at_a_time(cluster):
        return await _say(cluster, line, lambda: wait_idle(cluster, cluster.node(line.node)))


def _run_of(cluster: Cluster) -> _Run:
    return _RUNS.setdefault(asyncio.get_running_loop(), {}).setdefault(cluster.site, _Run())


def _one_at_a_time(cluster: Cluster) -> asyncio.Lock:
    """Of this run: things without an order between them would both find nobody at work. Who has it must not ask for it
    again."""
    return _run_of(cluster).turn


async def say_plainly(cluster: Cluster, line: Line) -> Result:
    """The same for what changes no hierarchy, and while LifeKeeper does not run.

    Raises `TimedOut` too, where somebody else holds the admin lock all the time, or LifeKeeper cannot reach the other
    node. The result may have another exit code than 0 where a line that was repeated found its effect there.
    """

    async def at_once() -> None:
        pass

    return await _say(cluster, line, at_once)


async def _say(cluster: Cluster, line: Line, ready: Callable[[], Awaitable[None]]) -> Result:
    """``ready`` is awaited before the line, and before it is repeated."""

    async def attempt() -> Result:
        await ready()
        return await _unlocked(cluster, line)

    result = await attempt()
    if result.exit_code == _NO_ANSWER and _repeatable(line):
        _tell_unheard(cluster, line.node, 0.0)
        result, heard = await until(
            attempt,
            lambda answer: answer.exit_code != _NO_ANSWER,
            PEER_LIMIT,
            pause=5,
            report=lambda _, waited: _tell_unheard(cluster, line.node, waited),
        )
        if not heard:
            raise _unheard(line)
        if result.exit_code == _REPEATED[line.name]:
            return result
    if result.exit_code != 0:
        said = "\n".join(text for text in (result.stderr.strip(), result.stdout.strip()) if text)
        meaning = grammar.explain(result.exit_code, line.name, said) if line.name else "see what it said"
        raise CommandFailed(line.node, str(result.command), result.exit_code, said, meaning)
    return result


# $@ a line. What it says goes to files until it has ended: a program that says something to a connection which broke
# would be ended by that, in the middle of its work.
TO_ITS_END = r"""
out=$(mktemp) && err=$(mktemp) || exec "$@"
trap 'rm -f "$out" "$err"' EXIT
code=0
"$@" >"$out" 2>"$err" || code=$?
cat "$out"
cat "$err" >&2
exit "$code"
"""


def as_command(line: Line) -> Command:
    """How a line is run: one of LifeKeeper's is carried out whole, whatever becomes of the connection meanwhile."""
    if not line.name:
        return command(*line.words, ok=None, timeout=120)
    return script(TO_ITS_END, *line.words, ok=None, timeout=WRITE_LIMIT, label=shlex.join(line.words))


async def _unlocked(cluster: Cluster, line: Line) -> Result:
    """The answer to a line, once it is not that somebody else holds the admin lock."""
    node = cluster.node(line.node)

    async def attempt() -> Result:
        return await node.run(as_command(line))

    result = await attempt()
    if _locked_out(result):
        result, free = await until(
            attempt,
            lambda answer: not _locked_out(answer),
            BUSY_LIMIT,
            pause=5,
            report=lambda answer, waited: _tell_busy(cluster, line.node, _lock_of(answer), waited),
        )
        if not free:
            raise _still_busy(line.node, _lock_of(result))
    return result


def _repeatable(line: Line) -> bool:
    return line.name in _REPEATED and grammar.load().command(line.name).codes == "lcdi"


def _tell_unheard(cluster: Cluster, node: str, waited: float) -> None:
    cluster.progress(
        f"{node}: LifeKeeper cannot reach the other node yet: waiting ({waited:.0f} of {PEER_LIMIT:.0f} s)"
    )


def _unheard(line: Line) -> TimedOut:
    return TimedOut(
        f"`{' '.join(line.words)}` was not done: LifeKeeper could not reach the other node for {PEER_LIMIT:.0f} s "
        f"(exit code {_NO_ANSWER})",
        node=line.node,
        remedy="start LifeKeeper on the other node (`lkcli start`), have a communication path ALIVE (`lcdstatus`), and "
        "run this again",
    )


def syncs(names: Iterable[str]) -> list[Line]:
    """What ends all that is written on these nodes; SIOS's own scripts say it after a creation, too (AWSIA, GENAPP)."""
    return [Line(name, "lcdsync", "Write LifeKeeper's configuration to disk") for name in names]


async def sync(cluster: Cluster, names: Iterable[str]) -> None:
    """Have what was written outlive a crash of the node. Raises `CommandFailed`, `TimedOut`."""
    async with _one_at_a_time(cluster):
        for line in syncs(names):
            await say_plainly(cluster, line)


def _locked_out(result: Result) -> bool:
    """The admin lock was taken between the look and the line; how the product says so is unknown.

    That it was released, an extension says in the middle of its work (SIOS's manuals).
    """
    return result.exit_code != 0 and bool(_lock_of(result))


def _lock_of(result: Result) -> str:
    """What a line says of the admin lock that is held, '' where it says nothing of it."""
    lines = (line.strip() for line in f"{result.stdout}\n{result.stderr}".splitlines())
    return next((each for each in lines if "admin lock" in each.lower() and "released" not in each.lower()), "")


def _tell_busy(cluster: Cluster, node: str, held: str, waited: float) -> None:
    cluster.progress(f"{node}: waiting for another change of LifeKeeper's resources: {held} ({waited:.0f} s)")


def _still_busy(node: str, held: str) -> TimedOut:
    return TimedOut(
        f"somebody else has been changing LifeKeeper's resources for {BUSY_LIMIT:.0f} s: {held}",
        node=node,
        remedy="wait until that has ended; `flg_remove -f` takes down a flag that a program left when it died",
    )


async def wait_idle(cluster: Cluster, node: Node) -> None:
    """Wait until no hierarchy is being changed, neither from ``node`` nor from another one that can tell.

    A program raises the admin lock where it was started. Raises `TimedOut` naming the flag and where it is up,
    `Unknown` where none can be read on ``node``.
    """

    async def flags() -> dict[str, str]:
        found = await cluster.each(lambda each: _flag(each) if each.name == node.name else _flag_beside(cluster, each))
        return {name: flag for name, flag in found.items() if flag}

    held, free = await until(
        flags,
        lambda found: not found,
        BUSY_LIMIT,
        report=lambda found, waited: _tell_busy(cluster, *next(iter(found.items())), waited),
    )
    if not free:
        raise _still_busy(*next(iter(held.items())))


async def _flag(node: Node) -> str:
    told = await node.run(asks("flg_list"))
    refuse_failed(node.name, told)
    return next((line.strip() for line in lines_of(told.stdout) if line.strip().startswith(ACTION)), "")


async def _flag_beside(cluster: Cluster, node: Node) -> str:
    """'' too where the node does not answer, or its LifeKeeper does not run: nothing is held up for that.

    Somebody who waits for the service to come up must not wait for a lost node before every line.
    """
    silent, now = _run_of(cluster).silent, asyncio.get_running_loop().time()
    if now < silent.get(node.name, 0.0):
        return ""
    try:
        return await _flag(node)
    except Unknown:
        return ""
    except HostError:
        silent[node.name] = asyncio.get_running_loop().time() + SILENT_FOR
        return ""
