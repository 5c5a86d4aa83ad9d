"""A command of Pulumi's, run until it gets through, with every run cut off on the SSH channel.

Each run is ended at its N-th writing command: before that is sent, or after it took effect and before its answer is
used. The next run has to cope with what the one before left, and is cut off itself. By itself a chain takes a few of
the positions, another few each time; `make test-all` (SQUID_HA_ALL_CUTS=1) ends a run after every single command: after
the first at which none was ended yet, for a run repeats some commands of the one that was cut off before it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cuts import ALL, SEED
from tests.support.stack import Stack
from tests.taps import CUT_HERE

TAP = {"SQUID_HA_TAP": "tests.taps:cut"}
EARLY = 20
"""A run from nothing that has this many commands behind it is not yet at its end, with either engine."""
THROUGH = "after:100000"
MOST = 400
"""Runs after which a chain of cut-off runs has certainly ceased to get anywhere."""


def positions() -> Iterator[str]:
    """Where the runs are cut off, in turn: after every command, or else after a few."""
    if ALL:
        # A run that is cut before a command leaves what the one before it left: `after` alone covers every position,
        # and every third run proves it of `before`.
        yield from itertools.cycle(["after:new", "after:new", "before:new"])
    yield from sample(4, 14)


def sample(least: int, most: int) -> Iterator[str]:
    """Each run gets through so many commands, another number each."""
    draw = random.Random(SEED)
    while True:
        yield f"{draw.choice(['before', 'after'])}:{draw.randint(least, most)}"


def slice_of_up(stack: Stack) -> str:
    """A site made by runs of `up` that were cut off, at two places drawn anew each time, and one that got through.

    Nothing is left to do then, nor has anything drifted; returns where the runs were cut off, for what a test says.
    """
    draw = random.Random(SEED)
    cuts = [f"{draw.choice(['before', 'after'])}:{draw.randint(1, EARLY)}" for _ in range(2)]
    told = f"after runs that were cut off {', '.join(cuts)} (seed {SEED})"
    assert chain(stack, "up", cuts=iter([*cuts, THROUGH])) > 0, f"no run was cut off {', '.join(cuts)} (seed {SEED})"
    assert "unchanged" in stack.preview("--expect-no-changes").output, told
    assert stack.drift().code == 0, told
    return told


def chain(stack: Stack, *command: str, cuts: Iterator[str] | None = None, logs: Path | None = None) -> int:
    """Run a command until it gets through, cutting every run off; returns how many were.

    Each run's commands are logged in ``logs``, without it beside the stack's state.
    """
    for number, where in enumerate(itertools.islice(cuts or positions(), MOST)):
        log = (logs or stack.directory) / f"{command[0]}-{number}.log"
        known = log.with_name(f"{command[0]}-known")
        environment = {**TAP, "SQUID_HA_CUT": where, "SQUID_HA_CUT_LOG": str(log), "SQUID_HA_CUT_KNOWN": str(known)}
        run = stack.pulumi(*command, "--yes", "--skip-preview", environment=environment)
        if run.code == 0:
            return number
        was_cut = log.exists() and CUT_HERE in log.read_text()
        assert was_cut, f"the run to be cut off at {where} (seed {SEED}) failed by itself:\n{run.output}"
    pytest.fail(f"{MOST} cut-off runs did not get `{' '.join(command)}` through (seed {SEED})")
