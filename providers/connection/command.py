"""A command for a host: arguments that are quoted in one place, and what came back.

Nothing else in the project builds shell text out of values. A script is a constant; values reach it as positional
parameters (``$1`` …), never by being pasted into it. Secrets go through standard input only.

A command *writes* unless it says ``reads=True``. Commands in a batch always only read. What writes is what a cut-off
run can leave half done, so the tests that cut runs enumerate exactly these.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

TIMED_OUT = 124
"""Exit code of timeout(1) when it had to end the command."""
_KILLED = 137
"""The same of a command that did not heed TERM; and of one that somebody else has killed, perhaps for its memory."""
_CLOCKS = 0.99
"""Of a node's second, what it takes here at least: two machines' clocks do not run quite alike."""


@dataclass(frozen=True)
class Command:
    """``argv`` to run as root on a node.

    ``stdin`` is fed to it (None: empty). ``ok`` are the exit codes that are no error (None: all). ``timeout`` in
    seconds. ``label`` replaces the command line in messages where that would be long or unhelpful. ``writes`` tells
    whether it may change the host.
    """

    argv: tuple[str, ...]
    stdin: bytes | None = None
    ok: frozenset[int] | None = frozenset({0})
    timeout: float = 60.0
    label: str = ""
    writes: bool = True

    def shell(self) -> str:
        """The command as text for a POSIX shell; the only place where arguments are quoted."""
        return shlex.join(self.argv)

    def limited(self) -> list[str]:
        """Its words, ended on the node itself after its timeout, so that none outlives a lost connection."""
        return ["timeout", "-k", "5", f"{self.timeout:g}", *self.argv]

    def __str__(self) -> str:
        """For messages and logs: never contains standard input."""
        return self.label or self.shell()

    def __repr__(self) -> str:
        """Like ``str``: standard input may hold a secret."""
        return f"<{'writes' if self.writes else 'reads'} {self}>"


def command(
    *argv: str,
    stdin: bytes | str | None = None,
    ok: AbstractSet[int] | None = frozenset({0}),
    timeout: float = 60.0,
    label: str = "",
    reads: bool = False,
) -> Command:
    """A program and its arguments. ``ok=None`` accepts every exit code; ``reads`` promises that nothing changes."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return Command(argv, data, None if ok is None else frozenset(ok), timeout, label, not reads)


def script(
    text: str,
    *args: str,
    stdin: bytes | str | None = None,
    ok: AbstractSet[int] | None = frozenset({0}),
    timeout: float = 60.0,
    label: str = "",
    reads: bool = False,
) -> Command:
    """A constant POSIX shell script whose values arrive as ``$1`` …; ``label`` should say what it does."""
    return command("sh", "-c", text, "sh", *args, stdin=stdin, ok=ok, timeout=timeout, label=label, reads=reads)


def for_systemd(*words: str) -> list[str]:
    """The words of a command as systemd-run(1) is given them.

    systemd puts variables in the place of ``$NAME`` and ``${NAME}`` in what it runs, and ``$$`` is a plain dollar to it
    (systemd.service(5), "Command lines"). ``%`` stays as it is: specifiers are those of files, not of transient units.
    """
    return [word.replace("$", "$$") for word in words]


def systemd_line(*words: str) -> str:
    """The same as the value of a property that is a command, such as ``ExecStopPost=``.

    systemd-run splits it into words, by quotes and backslashes (systemd.syntax(7), "Quoting").
    """
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in for_systemd(*words))
    return " ".join(f'"{word}"' for word in escaped)


@dataclass(frozen=True)
class Result:
    """What a command gave back; ``stdout`` and ``stderr`` are decoded as UTF-8 with replacement.

    ``seconds``: how long it took at most.
    """

    command: Command
    exit_code: int
    stdout: str
    stderr: str
    seconds: float = field(default=math.inf, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the exit code is among those that the command calls no error."""
        return self.command.ok is None or self.exit_code in self.command.ok

    @property
    def timed_out(self) -> bool:
        """Whether it was ended because its time was over: what it printed is cut off, and no answer.

        The same codes before that are its own, or of somebody who has killed it.
        """
        return self.exit_code in (TIMED_OUT, _KILLED) and self.seconds >= self.command.timeout * _CLOCKS
