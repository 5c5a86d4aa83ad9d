"""What SIOS publishes is what the grammar says."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from providers.lifekeeper import grammar

HERE = Path(__file__).parent
ROOT = "/opt/LifeKeeper"
PUBLISHED: list[dict[str, str]] = yaml.safe_load((HERE / "published.yaml").read_text())
SYNOPSES = (HERE / "synopses.txt").read_text().splitlines()


def words(line: str) -> list[str]:
    return shlex.split(line.replace("$LKROOT", ROOT))


@pytest.mark.parametrize("case", PUBLISHED, ids=[f"{place} {case['command']}" for place, case in enumerate(PUBLISHED)])
def test_a_published_line_is_read_and_built_again(case: dict[str, str]):
    line = words(case["line"])
    call = grammar.parse(line)
    assert call.command == case["command"]
    built = grammar.build(call.command, **call.values)
    two_dashes = [f"-{word}" if word == "-raddr" else word for word in line]
    assert sorted(built) == sorted(two_dashes)
    assert grammar.parse(built) == call


@pytest.mark.parametrize("synopsis", SYNOPSES, ids=[line.split()[0] for line in SYNOPSES])
def test_a_command_has_the_options_of_its_manual_page(synopsis: str):
    name = synopsis.split(maxsplit=1)[0]
    assert options_of(synopsis) == {
        (option.spelled, option.value != "none", option.required) for option in grammar.load().command(name).options
    }


def options_of(synopsis: str) -> set[tuple[str, bool, bool]]:
    """Spelling, whether it takes a value, whether it is required."""
    found: set[tuple[str, bool, bool]] = set()
    for optional, option in re.findall(r"\[([^]]*)\]|(-\w(?: [\w|()]+)?)", synopsis):
        text = optional or option
        if re.fullmatch(r"-\w(\|-\w)+", text):
            found |= {(one, False, False) for one in text.split("|")}
        else:
            spelled = text.split()[0]
            found.add((spelled[:2], " " in text or len(spelled) > 2, not optional))
    return found


def test_the_notation_of_manual_pages_is_understood():
    assert options_of("x [-d dest] -t tag [-f|-n] [-q] [-fC] -S A|B") == {
        ("-d", True, False),
        ("-t", True, True),
        ("-f", False, False),
        ("-n", False, False),
        ("-q", False, False),
        ("-f", True, False),
        ("-S", True, True),
    }


def test_choices_are_those_of_the_manual_pages():
    choices = {
        (command.name, option.spelled): option.choices
        for command in grammar.load().commands
        for option in command.options
    }
    for synopsis in SYNOPSES:
        for spelled, values in re.findall(r"(-\w) ((?:[A-Z_]+\|)+[A-Z_]+)", synopsis):
            assert choices[synopsis.split()[0], spelled] == tuple(values.split("|"))
