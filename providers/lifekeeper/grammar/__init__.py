"""How LifeKeeper is spoken to: every command line with its certainty, from one data file (`grammar.yaml`).

`load` gives it typed; `build` makes a line and `parse` reads one back; `explain` turns a failure into words;
`differences` compares what is assumed with the product's own help. `exported` is what the lab's stand-in carries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from providers.lifekeeper.grammar import plain
from providers.lifekeeper.grammar.models import Command, Grammar
from providers.lifekeeper.grammar.plain import Call, Data, Difference, Refusal

__all__ = [
    "Call",
    "Command",
    "Difference",
    "Grammar",
    "Refusal",
    "build",
    "differences",
    "expected_words",
    "explain",
    "exported",
    "help_text",
    "load",
    "parse",
]

_FILE = Path(__file__).with_name("grammar.yaml")


@cache
def load() -> Grammar:
    """The grammar, typed and checked."""
    return Grammar.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


@cache
def _data() -> Data:
    return load().plain()


def build(command_name: str, /, **values: Any) -> list[str]:  # noqa: ANN401 - each kind of value is checked
    """The command's line. None and False leave an option out. Raises `Refusal` with what is wrong."""
    return plain.build(_data(), command_name, values)


def parse(argv: Sequence[str]) -> Call:
    """What a line asks for. Raises `Refusal`."""
    return plain.parse(_data(), argv)


def explain(exit_code: int, command_name: str, said: str = "") -> str:
    """What an exit code means, for people: ``it exists already (exit code 4)``.

    ``said``: what the command printed; an error in it that has a number of its own tells more than the code.
    """
    return plain.explain(_data(), exit_code, command_name, said)


def help_text(command_name: str) -> str:
    """The help that the stand-in prints."""
    return plain.help_text(_data(), command_name)


def expected_words(command_name: str, used: Iterable[str] | None = None) -> list[str]:
    """The options, as they are spelled, that the product's ``--help`` must name; only those `used` if given."""
    return plain.expected_words(_data(), command_name, used)


def differences(
    command_name: str, found: str, used: Iterable[str] | None = None, exit_code: int = 0
) -> list[Difference]:
    """Where the product's help differs from what is expected: line expected, line found. Empty: none.

    ``used``: options by name; ``name=choice`` where the choice must be named too. ``exit_code``: how the help ended.
    """
    return plain.differences(_data(), command_name, found, used, exit_code)


def exported() -> str:
    """The grammar as JSON, for `plain` on a host that has neither pydantic nor YAML."""
    return json.dumps(load().plain(), ensure_ascii=False, indent=1)
