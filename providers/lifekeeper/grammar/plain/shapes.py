"""The shapes of the grammar as plain data, and of what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

SYNTAX = 2
"""Exit code of a line that a command does not understand (LCDI commands)."""


class Item(TypedDict):
    """What an option and an argument have in common."""

    name: str
    value: str
    choices: list[str]
    minimum: int | None
    maximum: int | None
    required: bool
    repeated: bool
    means: str
    certainty: str


class Option(Item):
    """An option; `spelled` with its dashes."""

    spelled: str
    attached: bool


class Argument(Item):
    """What stands without an option; `after` a word (`--`) or nothing."""

    after: str


class Command(TypedDict):
    """One command; `program` below the product's root, or a path with {parts}."""

    name: str
    program: str
    words: list[str]
    options: list[Option]
    arguments: list[Argument]
    exclusive: list[list[str]]
    help: bool
    codes: str
    effect: str
    certainty: str


class KnownError(TypedDict):
    """A failure with a number of the product's own; `text` is what it says, with {parts}."""

    number: str
    text: str
    means: str
    do: str


class Data(TypedDict):
    """As much of the grammar as is needed here."""

    product: dict[str, str]
    commands: list[Command]
    codes: dict[str, dict[str, dict[str, str]]]
    errors: list[KnownError]


class Refusal(ValueError):
    """A line that the grammar does not know. The message says which part; `exit_code` is what a command answers."""

    exit_code = SYNTAX


@dataclass(frozen=True)
class Call:
    """What a line asks for: values by name, or the command's help."""

    command: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    help: bool = False


@dataclass(frozen=True)
class Difference:
    """A line of the help that is not there as expected; `found` is the most similar one, None without any."""

    expected: str
    found: str | None
