"""Usage, help and exit codes as text, and what another help text says differently."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from .shapes import Command, Data, Difference, KnownError, Option
from .values import command_named


def usage(command: Command) -> str:
    """One line: how the command is called."""
    words = [command["program"].rpartition("/")[2], *command["words"]]
    words += [text if option["required"] else f"[{text}]" for option in command["options"] for text in [shown(option)]]
    for argument in command["arguments"]:
        text = f"<{argument['name']}>" + ("..." if argument["repeated"] else "")
        text = f"{argument['after']} {text}".strip()
        words.append(text if argument["required"] else f"[{text}]")
    return "Usage: " + " ".join(words)


def shown(option: Option) -> str:
    """An option with what follows it."""
    if option["value"] == "none":
        return option["spelled"]
    value = "|".join(option["choices"]) if option["choices"] else f"<{option['name']}>"
    return option["spelled"] + ("" if option["attached"] else " ") + value


def subcommands(data: Data, command: Command) -> list[str]:
    """The words by which a program's other commands are called."""
    same = (one for one in data["commands"] if one["program"] == command["program"])
    return [" ".join(one["words"]) for one in same if one["words"]]


def help_text(data: Data, name: str) -> str:
    """What the stand-in prints for `--help`. The layout is the stand-in's own: the product's is unknown."""
    command = command_named(data, name)
    lines = [usage(command), f"    {command['effect']}"]
    lines += [f"    {shown(option):<44} {option['means']}".rstrip() for option in command["options"]]
    lines += [f"    {words}" for words in ([] if command["words"] else subcommands(data, command))]
    return "\n".join(lines) + "\n"


def expected_words(data: Data, name: str, used: Iterable[str] | None = None) -> list[str]:
    """The options, as they are spelled, that the product's help must name; only those `used` (by name) if given."""
    command = command_named(data, name)
    wanted = None if used is None else {each.partition("=")[0] for each in used}
    return [option["spelled"] for option in command["options"] if wanted is None or option["name"] in wanted]


def differences(
    data: Data, name: str, found: str, used: Iterable[str] | None = None, exit_code: int = 0
) -> list[Difference]:
    """What of a command the product's own help does not show; empty when all is as expected.

    `used`: options by name; `name=choice` where the choice must be named too. A help that is not the command's own, by
    its `exit_code` or by its usage, is told alone: its options are another command's.
    """
    command = command_named(data, name)
    used = None if used is None else list(used)
    lines = [line.strip() for line in found.splitlines() if line.strip()]
    if other := _not_its_own(data, command, lines, exit_code):
        return [other]
    wanted = set(expected_words(data, name, used))
    choices = dict(each.split("=", 1) for each in used or [] if "=" in each)
    told: list[Difference] = []
    for option in command["options"]:
        if option["spelled"] in wanted and not _named(option["spelled"], found):
            told.append(Difference(shown(option), next(iter(get_close_matches(shown(option), lines, 1, 0.3)), None)))
        elif (choice := choices.get(option["name"])) and not _named(choice, found):
            line = next((line for line in lines if _named(option["spelled"], line)), None)
            told.append(Difference(f"{option['spelled']} {choice}", line))
    return told


def _not_its_own(data: Data, command: Command, lines: list[str], exit_code: int) -> Difference | None:
    """That an error or the general usage was printed in the place of the command's help; how that looks is assumed.

    The help of a subcommand ends with a code of `codes: help`, and a usage line of it, or where it has none any line,
    has the last two of the words.
    """
    expected = sorted(set(data["codes"]["help"]) - {"other"})
    if str(exit_code) not in expected:
        said = f": {lines[0]}" if lines else ""
        return Difference(f"exit code {' or '.join(expected)} of its --help", f"exit code {exit_code}{said}")
    words, usages = command["words"][-2:], _usages(lines)
    if any(all(_named(word, line) for word in words) for line in usages or [" ".join(lines)]):
        return None
    return Difference(usage(command), next(iter([*usages, *lines]), None))


def _usages(lines: list[str]) -> list[str]:
    """Lines that begin with the word, and of those that are just that word the ones below."""
    alone = [line.rstrip(":").strip().lower() == "usage" for line in lines]
    starts = [line.split()[0].rstrip(":").lower() == "usage" for line in lines]
    return [
        line
        for place, line in enumerate(lines)
        if (starts[place] and not alone[place]) or (place > 0 and alone[place - 1])
    ]


def _named(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def explain(data: Data, exit_code: int, name: str, said: str = "") -> str:
    """What an exit code of a command means and what to do about it, as the rest of a sentence.

    Where the command `said` an error that is known by its number, that is what it means.
    """
    codes = data["codes"][command_named(data, name)["codes"]]
    entry = _error_in(data, said) or codes.get(str(exit_code), codes.get("other", {"means": "it failed"}))
    todo = f": {entry['do']}" if entry.get("do") else ""
    return f"{entry['means']} (exit code {exit_code}){todo}"


def _error_in(data: Data, said: str) -> KnownError | None:
    """The first known error of which a line has the number, as an error's, or the words."""
    for error in data["errors"]:
        words = error["text"].partition(": ")[2].partition("{")[0].rstrip(' "')
        if words in said or re.search(rf"ERROR\b.*\b{error['number']}\b", said):
            return error
    return None


def error_text(data: Data, number: str, **parts: str) -> str:
    """What the product says with the error of this number. Raises `KeyError` for another number or a part missing."""
    return {each["number"]: each["text"] for each in data["errors"]}[number].format(**parts)
