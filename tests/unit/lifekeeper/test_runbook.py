"""What `squid-ha status` says of LifeKeeper's mirror stands in the runbook, with lines that the grammar knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from providers.lifekeeper import grammar, mirror_view

RUNBOOK = (Path(__file__).parents[3] / "docs/runbook.md").read_text()
OUT_OF_SYNC = RUNBOOK.partition("\n## The mirror is out of sync\n")[2].partition("\n## ")[0]
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
    lines = re.findall(r"^ *(/opt/LifeKeeper/bin/mirror_action [^#\n]*)", OUT_OF_SYNC, re.MULTILINE)
    assert [grammar.parse(line.split()).values["action"] for line in lines] == ["resume", "fullresync"]
