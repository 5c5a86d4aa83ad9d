"""What the values of a line may be, and which a command needs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .shapes import Argument, Command, Data, Option, Refusal

VALUES = {
    "tag": re.compile(r"[^\s\x00-\x1f]+"),
    "node": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "path": re.compile(r"/[^\x00-\x1f]*"),
    "alphanumeric": re.compile(r"[A-Za-z0-9]{1,256}"),
    "character": re.compile(r"[^\n\x00]"),
    "text": re.compile(r"[^\n\x00]+"),
    "any": re.compile(r"[^\x00]*"),
}
"""What a value of each kind looks like; addresses, numbers and choices are looked at in `checked`."""


def command_named(data: Data, name: str) -> Command:
    """The command of that name. Raises `Refusal`."""
    for command in data["commands"]:
        if command["name"] == name:
            return command
    raise Refusal(f"`{name}` is no command of the grammar")


def parts_of(program: str) -> list[str]:
    """The names of the {parts} of a path."""
    return re.findall(r"\{(\w+)\}", program)


def complete(command: Command, wanted: Mapping[str, Any]) -> None:
    """Nothing that is required is missing, nothing excludes another. Raises `Refusal`."""
    items: list[Option | Argument] = [*command["options"], *command["arguments"]]
    if missing := [label(item) for item in items if item["required"] and item["name"] not in wanted]:
        raise Refusal(f"`{command['name']}` needs {listed(missing)}")
    for group in command["exclusive"]:
        if len(both := [name for name in group if name in wanted]) > 1:
            raise Refusal(f"`{command['name']}` takes only one of {listed(both)}")


def label(item: Option | Argument) -> str:
    """What people call it: an option as it is spelled."""
    return item["spelled"] if "spelled" in item else item["name"]


def checked(name: str, item: Option | Argument, value: Any) -> str:  # noqa: ANN401
    """The value as text. Raises `Refusal` where it is none of its kind."""
    text, kind = str(value), item["value"]
    if isinstance(value, (bool, list)) or not _fits(item, kind, text):
        raise Refusal(f"{label(item)} of `{name}` expects {expected(item)}, not {text!r}")
    return text


def _fits(item: Option | Argument, kind: str, text: str) -> bool:
    if kind == "choice":
        return text in item["choices"]
    if kind == "integer":
        return bool(re.fullmatch(r"0|[1-9]\d{0,8}", text)) and _within(item, int(text))
    if kind == "address":
        return _is_address(text)
    return bool(VALUES[kind].fullmatch(text))


def _within(item: Option | Argument, number: int) -> bool:
    low, high = item["minimum"], item["maximum"]
    return (low is None or number >= low) and (high is None or number <= high)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def expected(item: Option | Argument) -> str:
    """What a value has to be, for people."""
    kind = item["value"]
    if kind == "choice":
        return f"one of {', '.join(item['choices'])}"
    if kind == "integer":
        low, high = item["minimum"], item["maximum"]
        return "a number" + (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")
    return {"address": "an IP address", "alphanumeric": "letters and digits"}.get(kind, f"a {kind}")


def listed(names: Iterable[str]) -> str:
    """Several names as text."""
    return ", ".join(names)
