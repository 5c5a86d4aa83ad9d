"""A scan as it is run: the command ``squid-ha drift``, what it says, how long it takes."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.drift.pairs import Pair
from benchmarks.drift.project import Project
from lab.errors import LabError
from lab.paths import PROJECT
from setup.stages import environment

LIMIT = 300.0
"""Seconds after which a scan has certainly hung."""


@dataclass(frozen=True)
class Scan:
    """``seconds`` of the whole command, by the clock; ``busy``: of a processor, in it and its proxy commands."""

    seconds: float
    busy: float
    code: int
    report: dict[str, Any]

    @property
    def clean(self) -> bool:
        """Whether every site is as declared."""
        return self.code == 0 and all(site["outcome"] == "clean" for site in self.report["sites"])


def scan(project: Project, chosen: Sequence[Pair] = ()) -> Scan:
    """Look at these pairs, or at all of the project. Raises LabError when there is no report."""
    command = [PROJECT / ".venv/bin/squid-ha", "drift", *([pair.stack for pair in chosen] or ["--all"]), "--json"]
    before, began = _busy(), time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=project.folder, env={**environment(), "NO_COLOR": "1"}, capture_output=True, text=True,
            timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LabError(f"`squid-ha drift` did not end within {LIMIT:g} s") from None
    seconds = time.monotonic() - began
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise LabError(f"`squid-ha drift` ended with {done.returncode} and without a report: {done.stderr}") from None
    return Scan(seconds, _busy() - before, done.returncode, report)


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
