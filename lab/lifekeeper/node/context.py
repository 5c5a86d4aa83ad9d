"""What a command has at hand while it runs, and the table of commands."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from lab.lifekeeper.node.settings import switches
from lab.lifekeeper.node.shell import Died
from lab.lifekeeper.node.system import System

log = logging.getLogger("command")
Values = dict[str, Any]


class Context:
    """One run of a command. ``text`` is what it prints, ``code`` its exit code when it does not fail."""

    def __init__(self, system: System, command: str, pid: int) -> None:
        self.system, self.command, self.pid = system, command, pid
        self.lcd = system.lcd
        self.text = ""
        self.code = 0
        self._step = 0

    def say(self, line: str) -> None:
        """Print a line, and log it."""
        self.text += f"{line}\n"
        log.info("%s: %s", self.command, line)

    def step(self) -> None:
        """A place between two steps, where a switch can let the command die. Raises `Died`."""
        self._step += 1
        die = switches().get("die")
        if die and die["command"] == self.command and die["step"] == self._step:
            raise Died(f"{self.command} before step {self._step}")


Command = Callable[[Context, Values], Awaitable[None]]
COMMANDS: dict[str, Command] = {}
"""What the stand-in does for each command of the grammar that it knows to do."""


def command(*names: str) -> Callable[[Command], Command]:
    """Register what does these commands."""

    def register(function: Command) -> Command:
        COMMANDS.update(dict.fromkeys(names, function))
        return function

    return register
