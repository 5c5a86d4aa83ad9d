"""A line from values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .shapes import Argument, Command, Data, Option, Refusal
from .values import checked, command_named, complete, label, listed, parts_of


def build(data: Data, name: str, values: Mapping[str, Any]) -> list[str]:
    """The line of a command as a list, options in the grammar's order. Raises `Refusal`."""
    command = command_named(data, name)
    parts = parts_of(command["program"])
    known = {item["name"] for item in (*command["options"], *command["arguments"])} | set(parts)
    if unknown := sorted(set(values) - known):
        raise Refusal(f"`{name}` has no {listed(unknown)}; it has {listed(sorted(known)) or 'no options'}")
    wanted = {key: value for key, value in values.items() if value is not None and value is not False}
    complete(command, wanted)
    line = [_program(data, command, wanted), *command["words"]]
    for option in command["options"]:
        if option["name"] in wanted:
            line += _spelled(name, option, wanted[option["name"]])
    for argument in command["arguments"]:
        if argument["name"] in wanted:
            line += _placed(name, argument, wanted[argument["name"]])
    return line


def _program(data: Data, command: Command, wanted: Mapping[str, Any]) -> str:
    program = command["program"]
    for part in parts_of(program):
        if part not in wanted:
            raise Refusal(f"`{command['name']}` needs {part}")
        text = str(wanted[part])
        if not re.fullmatch(r"/?[\w.-]+(/[\w.-]+)*", text):
            raise Refusal(f"{part} of `{command['name']}` is no part of a path: {text!r}")
        program = program.replace("{" + part + "}", text)
    return program if program.startswith("/") else f"{data['product']['root']}/{program}"


def _spelled(name: str, option: Option, value: Any) -> list[str]:  # noqa: ANN401
    if option["value"] == "none":
        if value is not True:
            raise Refusal(f"{option['spelled']} of `{name}` takes no value")
        return [option["spelled"]]
    texts = [checked(name, option, one) for one in _several(option, value)]
    if option["attached"]:
        return [option["spelled"] + text for text in texts]
    return [word for text in texts for word in (option["spelled"], text)]


def _placed(name: str, argument: Argument, value: Any) -> list[str]:  # noqa: ANN401
    texts = [checked(name, argument, one) for one in _several(argument, value)]
    if argument["after"]:
        return [argument["after"], *texts]
    if dashed := [text for text in texts if text.startswith("-")]:
        raise Refusal(f"{argument['name']} of `{name}` may not begin with a dash: {dashed[0]!r}")
    return texts


def _several(item: Option | Argument, value: Any) -> Sequence[Any]:  # noqa: ANN401
    if not item["repeated"]:
        return [value]
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise Refusal(f"{label(item)} takes a list of at least one value")
    return value  # pyright: ignore[reportUnknownVariableType]
