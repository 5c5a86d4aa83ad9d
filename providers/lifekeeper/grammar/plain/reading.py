"""Values from a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from .shapes import Call, Command, Data, Option, Refusal
from .telling import subcommands, usage
from .values import checked, complete, parts_of


def parse(data: Data, argv: Sequence[str]) -> Call:
    """What a line asks for. Raises `Refusal`, with exit code and text as a command would answer.

    Options by words are taken with one dash or two, as the product takes them.
    """
    command, parts, rest = _recognised(data, argv)
    if command["help"] and rest[:1] in (["--help"], ["-h"]):
        return Call(command["name"], help=True)
    values: dict[str, Any] = dict(parts)
    placed: list[str] = []
    words = iter(rest)
    for word in words:
        if any(argument["after"] and argument["after"] == word for argument in command["arguments"]):
            values[_last(command)] = [checked(command["name"], command["arguments"][-1], one) for one in words]
        elif word.startswith("-") and word != "-":
            _option(command, word, words, values)
        else:
            placed.append(word)
    _arguments(command, placed, values)
    complete(command, {key: value for key, value in values.items() if value != []})
    return Call(command["name"], {key: value for key, value in values.items() if value != []})


def _last(command: Command) -> str:
    return command["arguments"][-1]["name"]


def _recognised(data: Data, argv: Sequence[str]) -> tuple[Command, dict[str, str], list[str]]:
    if not argv:
        raise Refusal("an empty line")
    found: tuple[Command, dict[str, str], list[str]] | None = None
    programs = False
    for command in data["commands"]:
        parts = _matched(data["product"]["root"], command["program"], argv[0])
        words = command["words"]
        programs = programs or parts is not None
        longer = found is None or len(words) > len(found[0]["words"])
        if parts is not None and longer and list(argv[1 : 1 + len(words)]) == words:
            found = (command, parts, list(argv[1 + len(words) :]))
    if found is None or (not found[0]["words"] and subcommands(data, found[0]) and _is_word(found[2])):
        what = " ".join(argv[:4]) if programs else argv[0]
        raise Refusal(f"{what}: unknown {'subcommand' if programs else 'command'}")
    return found


def _is_word(rest: Sequence[str]) -> bool:
    return not rest or not rest[0].startswith("-")


@lru_cache(maxsize=4096)
def _matched(root: str, program: str, found: str) -> dict[str, str] | None:
    """The named parts of a program's path; remembered, because each line is held against all commands' programs."""
    full = program if program.startswith("{") else f"{root}/{program}"
    if match := re.fullmatch(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(full)), found):
        return match.groupdict()
    return {} if "/" not in found and found == program.rpartition("/")[2] and not parts_of(program) else None


def _option(command: Command, word: str, words: Iterable[str], values: dict[str, Any]) -> None:
    option, given = _spelling(command, word)
    if option is None:
        raise Refusal(f"{command['name']}: Unknown option: {word.lstrip('-')}\n{usage(command)}")
    if option["value"] == "none":
        value: Any = True
    else:
        text = next(iter(words), None) if given is None else given
        if text is None:
            raise Refusal(f"{command['name']}: Option {option['spelled']} requires an argument\n{usage(command)}")
        value = checked(command["name"], option, text)
        value = int(value) if option["value"] == "integer" else value
    if option["repeated"]:
        values.setdefault(option["name"], []).append(value)
    else:
        values[option["name"]] = value


def _spelling(command: Command, word: str) -> tuple[Option | None, str | None]:
    head, equals, tail = word.partition("=")
    for option in command["options"]:
        spelled = option["spelled"]
        if option["attached"] and word.startswith(spelled) and len(word) > len(spelled):
            return option, word[len(spelled) :]
        if not option["attached"] and word == spelled:
            return option, None
        if spelled.startswith("--") and head in (spelled, spelled[1:]):
            return option, tail if equals and option["value"] != "none" else None
    return None, None


def _arguments(command: Command, placed: list[str], values: dict[str, Any]) -> None:
    rest = list(placed)
    items = [argument for argument in command["arguments"] if not argument["after"]]
    for place, item in enumerate(items):
        kept = sum(1 for later in items[place + 1 :] if later["required"])
        if item["repeated"]:
            taken, rest = rest[: len(rest) - kept], rest[len(rest) - kept :]
            values[item["name"]] = [checked(command["name"], item, one) for one in taken]
        elif len(rest) > kept:
            text = checked(command["name"], item, rest.pop(0))
            values[item["name"]] = int(text) if item["value"] == "integer" else text
    if rest:
        raise Refusal(f"{command['name']}: too many arguments: {' '.join(rest)}\n{usage(command)}")
