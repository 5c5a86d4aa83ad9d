"""The runbook for operators of LifeKeeper: states in the words of `status`, lines that the grammar knows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from blueprint import names
from providers.lifekeeper import grammar, mirror_view, runtime
from providers.lifekeeper.grammar import Call
from providers.pacemaker import stack
from tests.unit.lifekeeper.test_plan_and_runtime import in_step
from tests.unit.lifekeeper.test_providers import no_waiting

__all__ = ["no_waiting"]

RUNBOOK = (Path(__file__).parents[3] / "docs/runbook.md").read_text()


def section(heading: str) -> str:
    return RUNBOOK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def lines(text: str) -> list[Call]:
    """LifeKeeper's own, as it takes them."""
    return [grammar.parse(line.split()) for line in re.findall(r"/opt/LifeKeeper/bin/[^`#\n]*", text)]


OUT_OF_SYNC = section("The mirror is out of sync")
ROWS = OUT_OF_SYNC.partition("| with LifeKeeper it says | |\n")[2].partition("\n\n")[0]
ARRAY = "md0 : active raid1 nbd0[1] sda[0]\n      1024 blocks super 1.0 [2/{}] [{}]\n{}\n/dev/md0"


@pytest.mark.parametrize(
    "said",
    [
        mirror_view.parse_mdstat(ARRAY.format(2, "UU", "      [=>..]  recovery = 12.6% (1/8)")).connection,
        mirror_view.parse_mdstat(ARRAY.format(1, "U_", "")).connection,
        mirror_view.parse_mdstat("").connection,
        mirror_view.unless_unheard(mirror_view.parse_mdstat(ARRAY.format(2, "UU", "")), ["qsp-b"]).connection,
        "OSU",
        "OSF",
    ],
)
def test_each_word_for_a_mirror_that_is_not_well_has_its_row(said: str) -> None:
    first = [line.split("|")[1] for line in ROWS.splitlines()]
    assert any(f"`{said}" in cell for cell in first), said


def test_out_of_service_on_both_nodes_is_what_in_service_nowhere_looks_like() -> None:
    """`no md device is mounted` is said of a mirror that is in service, by LifeKeeper's word."""
    (nowhere,) = [line for line in ROWS.splitlines() if "in service nowhere" in line]
    assert nowhere.startswith("| `OSU` or `OSF` on both nodes |")


def test_the_lines_that_bring_a_half_back_are_lifekeepers() -> None:
    assert [(each.command, each.values.get("action")) for each in lines(OUT_OF_SYNC)] == [
        ("perform_action", "restore"), ("mirror_action", "resume"), ("mirror_action", "fullresync"),
    ]  # fmt: skip


def test_a_new_machine_gets_lifekeeper_and_its_licence_before_it_is_taken_in() -> None:
    text = section("Replacing a node")
    assert {"lkkeyins", "lkcli start"} <= {each.command for each in lines(text)}
    assert text.index("lifekeeper.license.file") < text.index("`pulumi up --refresh -s lyon`")


def test_lifekeeper_that_was_stopped_on_both_nodes_is_started_by_what_is_told_there() -> None:
    pair = in_step()
    for lcd in pair.lcds.values():
        lcd.running = False
    asyncio.run(runtime.maintenance(pair.cluster(), on=False))
    assert [lcd.running for lcd in pair.lcds.values()] == [True, True]
    text = section("A node is lost").partition("stopped on both.**")[2]
    assert "`squid-ha maintenance off lyon`" in text
    units = " ".join(unit.removesuffix(".service") for unit in stack.UNITS)
    assert f"\nsystemctl start {units}\n" in text


def test_what_is_taken_away_to_be_made_anew_goes_by_the_names_that_the_state_has() -> None:
    named = re.findall(r"'\*\*::([a-z-]+)'", section("What is not changed in place"))
    assert named == [names.TREE_ADDRESS, names.TREE_SQUID, names.TREE_MIRROR]
