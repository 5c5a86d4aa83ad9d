"""A project of its own for a fleet: nothing but stack files, so that ``squid-ha drift --all`` means the fleet."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.drift.pairs import Pair
from lab.paths import PROJECT
from operations.project import stack_file


@dataclass(frozen=True)
class Project:
    """Where `squid-ha` is run."""

    folder: Path

    def file(self, pair: Pair) -> Path:
        """The pair's stack file."""
        return stack_file(pair.stack, self.folder)


def write(folder: Path, fleet: Sequence[Pair], run_directory: Path, sockets: Path, known_hosts: Path) -> Project:
    """A project in a new folder whose stack files lead to the nodes through ``sockets``."""
    made = Project(folder)
    (folder / "stacks" / "templates").mkdir(parents=True)
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    for pair in fleet:
        site = pair.site(run_directory, sockets, known_hosts)
        document = {"config": {"squid-ha:site": site}}
        made.file(pair).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return made
