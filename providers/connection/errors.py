"""What can go wrong on the way to a host, or on it.

HostError                 anything below; one sentence for people
├── Unreachable           no connection, or it broke: nothing is known about the node
│   ├── HostKeyRefused    the host key is unknown or has changed
│   └── LoginRefused      it answered, and accepts none of our keys
├── SudoRefused           the login user may not act as root
├── CommandFailed         a command ended with an exit code that was not expected
├── TimedOut              a command, or a condition waited for, did not finish within its limit
├── Unknown               observing could not tell; never to be taken for absent
├── Refused               a guard said no: foreign owner, foreign cluster, a device that is not blank
├── Locked                somebody else is changing this cluster, or has while our lock was lost
├── NotVerified           after a change the host still differs from what is wanted
└── Unforeseen            a fault of this program, where one host's must not hide the others
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from providers.connection.printable import printable


class HostError(Exception):
    """Base of all errors of a host. ``str()`` is a sentence for people; ``node`` the node's name, or ''.

    What a host has said in it is made `printable`.
    """

    def __init__(self, message: str, *, node: str = "", remedy: str = "") -> None:
        self.node = node
        self.message = message = printable(message)
        self.remedy = remedy = printable(remedy)
        prefix = f"{node}: " if node else ""
        suffix = f"\n  → {remedy}" if remedy else ""
        super().__init__(f"{prefix}{message}{suffix}")


class Unforeseen(HostError):
    """A fault of this program, for those who look at many hosts and must not stop at one.

    It tells where the fault is and not what the host said, which nobody has masked.
    """

    @staticmethod
    def of(error: Exception) -> Unforeseen:
        """The place at which ``error`` was raised, in words."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
        return Unforeseen(
            f"what was found there was not understood: {type(error).__name__}{place}",
            remedy="this is a fault of squid-ha: please report it with this line",
        )


class Unreachable(HostError):
    """No connection to the node; says nothing about what is on it.

    ``answered``: whether the node's own system did, by its SSH server or by refusing the port. None where that cannot
    be told, because it was not asked: something on this machine, or a host on the way to it, failed first.
    """

    answered: bool | None = False

    def having(self, *, answered: bool | None) -> Self:
        """The same, with what is known of the node's answer."""
        self.answered = answered
        return self


class HostKeyRefused(Unreachable):
    """The node's SSH host key is unknown, or not the one that was accepted before."""

    answered: bool | None = True


class LoginRefused(Unreachable):
    """The node answered, but none of our keys was accepted, or ours cannot be used."""

    answered: bool | None = True


class SudoRefused(HostError):
    """The login user may not become root."""


class CommandFailed(HostError):
    """A command's exit code was not among those expected; carries the fields, the sentence is made from them."""

    def __init__(self, node: str, command: str, exit_code: int, stderr: str, remedy: str = "") -> None:
        self.command = command
        self.exit_code = exit_code
        self.stderr = stderr
        tail = "\n".join(f"    {line}" for line in stderr.strip().splitlines()[-5:])
        detail = f"\n{tail}" if tail else " and said nothing on stderr"
        super().__init__(f"`{command}` ended with exit code {exit_code}{detail}", node=node, remedy=remedy)


class TimedOut(HostError):
    """A command or an awaited condition took longer than its limit (seconds in the message)."""


class Unknown(HostError):
    """The state could not be determined: unreachable, not mounted here, in transition. Never absent."""


class Refused(HostError):
    """A guard stopped a change that could have destroyed something which is not ours."""


def refuse_all(refusals: Sequence[Refused]) -> None:
    """Raise what several nodes, or several settings of one, are refused for as one `Refused`; nothing for none."""
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise Refused("\n".join(map(str, refusals)))


class Locked(HostError):
    """Another run holds the cluster's lock, or has had it since this one lost it."""


class NotVerified(HostError):
    """What was just made true does not read back as wanted."""


SILENT = (Unreachable, TimedOut, SudoRefused)
"""What keeps a node from telling anything at all."""


def all_silent(reasons: Sequence[HostError]) -> HostError:
    """Why nothing is told, with what to do about it on each node, as one error of the first one's kind.

    ``reasons``: what each node is kept by (`SILENT`).
    """
    first = reasons[0]
    if len(reasons) == 1:
        return first
    told = ";\n".join(map(str, reasons))
    return Unreachable(told).having(answered=None) if isinstance(first, Unreachable) else type(first)(told)


def unheard(error: HostError) -> HostError:
    """Why a node told nothing of what every reading begins with: of one that hangs nothing is known either."""
    if not isinstance(error, TimedOut):
        return error
    remedy = error.remedy or "see whether the node hangs, as on a disk that no longer answers"
    return Unreachable(error.message, node=error.node, remedy=remedy)


def in_a_line(error: Exception | str, where: str = "") -> str:
    """An error with its remedy, or a part of what it says, in one line: for what has no room for more.

    Without the node's name where that line stands for ``where``, and so names it already.
    """
    text = str(error).removeprefix(f"{where}: ") if where else str(error)
    return " ".join(text.split())
