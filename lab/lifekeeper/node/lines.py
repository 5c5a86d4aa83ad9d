"""A command's line: what it asks for by the grammar, and as it goes to the daemon and comes back.

To the daemon: the process's number and the words, to the program: exit code, output, and what went wrong; on one line,
texts in hexadecimal, so that the front end of every command needs no module (`front.pl`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lab.lifekeeper.node import ROOT, VERSION
from lab.lifekeeper.node.settings import other_version, switches
from providers.lifekeeper.grammar.plain import Call, Data, error_text, help_text, parse

GRAMMAR = Path(ROOT) / "lib/stand-in/grammar.json"


@dataclass(frozen=True)
class Answer:
    """What a command prints, and its exit code; negative: the signal that it dies by."""

    code: int
    out: str = ""
    err: str = ""

    def line(self) -> str:
        """As it goes back."""
        return f"{self.code} {self.out.encode().hex()} {self.err.encode().hex()}\n"

    @classmethod
    def read(cls, line: str) -> Answer:
        """What `line` wrote."""
        code, out, err = line.rstrip("\n").split(" ")
        return cls(int(code), bytes.fromhex(out).decode(), bytes.fromhex(err).decode())


def asked(pid: int, argv: Sequence[str]) -> str:
    """A line as it goes to the daemon."""
    return " ".join([str(pid), *(word.encode(errors="surrogateescape").hex() or "-" for word in argv)]) + "\n"


def heard(line: str) -> tuple[int, list[str]]:
    """What `asked` wrote."""
    pid, *words = line.split()
    return int(pid), [bytes.fromhex(word.strip("-")).decode(errors="surrogateescape") for word in words]


def understood(argv: Sequence[str]) -> Call | Answer:
    """What a line asks for; its help is answered at once. Raises `Refusal`."""
    changes: dict[str, Any] = switches().get("help", {})
    data = other_version(_grammar(), changes) if changes else _grammar()
    call = parse(data, argv)
    return Answer(0, f"lkcli {VERSION}\n{help_text(data, call.command)}") if call.help else call


def known_error(number: str, **parts: str) -> str:
    """What LifeKeeper says with the error of this number. Raises `KeyError`."""
    return error_text(_grammar(), number, **parts)


@cache
def _grammar() -> Data:
    return json.loads(GRAMMAR.read_text(encoding="utf-8"))
