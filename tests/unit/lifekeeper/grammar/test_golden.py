"""What SIOS publishes is what the grammar says, and what the provider says itself."""

import re
import shlex
from itertools import chain
from pathlib import Path

import pytest
import yaml

from providers.lifekeeper import grammar, mirror
from providers.lifekeeper.resource import NodeMember

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
    if "order" in case:
        assert built != two_dashes(line)
        assert sorted(pieces(built)) == sorted(pieces(two_dashes(line))), case["order"]
    else:
        assert built == two_dashes(line)
    assert grammar.parse(built) == call


def test_what_is_called_confirmed_stands_in_a_published_line():
    seen: dict[str, set[str]] = {}
    for case in PUBLISHED:
        call = grammar.parse(words(case["line"]))
        seen.setdefault(call.command, set()).update(call.values)
    certain = [command for command in grammar.load().commands if command.certainty == "confirmed"]
    options = [(command.name, option) for command in certain for option in command.options if not option.certainty]
    assert {command.name for command in certain} - seen.keys() == set()
    assert [f"{name} {option.spelled}" for name, option in options if option.name not in seen[name]] == []


def two_dashes(line: list[str]) -> list[str]:
    """SIOS gives this word one dash, which the grammar takes and does not make."""
    return [f"-{word}" if word == "-raddr" else word for word in line]


def pieces(line: list[str]) -> list[list[str]]:
    """The program, and each option with what follows it."""
    found: list[list[str]] = [[]]
    for word in line:
        if word.startswith("-"):
            found.append([])
        found[-1].append(word)
    return found


MIRROR = "/opt/sample_mirror"
BITMAP = "/opt/LifeKeeper/bitmap__opt_sample_mirror"
SAMPLE = mirror.Wanted(
    tag="datarep-sample",
    nodes={
        "node-a": NodeMember(priority="1", switchback="intelligent"),
        "node-b": NodeMember(priority="10", switchback="intelligent"),
    },
    device="/dev/mapper/Sample_VGroup-Sample_LVolume",
    fstype="xfs",
    mount_point=MIRROR,
    fstag=MIRROR,
    mode="synchronous",
    hierarchy="new",
    addresses={"node-a": "10.0.0.1", "node-b": "10.0.0.2"},
    mount_points={},
)
"""The example of SIOS's script for AWS as it would be declared."""


@pytest.mark.parametrize(
    ("changes", "name", "added"),
    [
        ({}, "lkcli resource create dk", []),
        ({}, "lkcli resource extend dk", []),
        ({"bitmap": BITMAP, "device": "/dev/sdb1"}, "netraid create", []),
        ({"bitmap": BITMAP}, "lkcli resource extend dk", [["--bitmap", BITMAP]]),
        ({"devices": {"node-b": "/dev/sdc1"}}, "lkcli resource extend dk", [["--device", "/dev/sdc1"]]),
        ({"bitmap": BITMAP, "route": "lkcli"}, "lkcli resource create dk", [["--bitmap", BITMAP]]),
    ],
)
def test_the_providers_own_lines_for_the_published_example_are_the_published_ones_but_for_what_is_named_here(
    changes: dict[str, object], name: str, added: list[list[str]]
):
    """One line of each: what the provider adds is an option that this example does not need."""
    published = [words(case["line"]) for case in PUBLISHED if case["command"] == name]
    said = [line.words for line in mirror.lines(SAMPLE.model_copy(update=changes)) if line.name == name]
    assert len(published) == len(said) == 1
    assert all(option in pieces(said[0]) for option in added)
    assert list(chain(*(each for each in pieces(said[0]) if each not in added))) == two_dashes(published[0])


@pytest.mark.parametrize("synopsis", SYNOPSES, ids=[line.split()[0] for line in SYNOPSES])
def test_a_command_has_the_options_of_its_manual_page(synopsis: str):
    name = synopsis.split(maxsplit=1)[0]
    assert options_of(synopsis) == [
        (option.spelled, option.value != "none", option.required) for option in grammar.load().command(name).options
    ]


def options_of(synopsis: str) -> list[tuple[str, bool, bool]]:
    """Spelling, whether it takes a value, whether it is required; in the page's order."""
    found: list[tuple[str, bool, bool]] = []
    for optional, option in re.findall(r"\[([^]]*)\]|(-\w(?: [\w|()]+)?)", synopsis):
        text = optional or option
        if re.fullmatch(r"-\w(\|-\w)+", text):
            found += [(one, False, False) for one in text.split("|")]
        else:
            spelled = text.split()[0]
            found.append((spelled[:2], " " in text or len(spelled) > 2, not optional))
    return found


def test_the_notation_of_manual_pages_is_understood():
    assert options_of("x [-d dest] -t tag [-f|-n] [-q] [-fC] -S A|B") == [
        ("-d", True, False),
        ("-t", True, True),
        ("-f", False, False),
        ("-n", False, False),
        ("-q", False, False),
        ("-f", True, False),
        ("-S", True, True),
    ]


def test_choices_are_those_of_the_manual_pages():
    choices = {
        (command.name, option.spelled): option.choices
        for command in grammar.load().commands
        for option in command.options
    }
    for synopsis in SYNOPSES:
        for spelled, values in re.findall(r"(-\w) ((?:[A-Z_]+\|)+[A-Z_]+)", synopsis):
            assert choices[synopsis.split()[0], spelled] == tuple(values.split("|"))
