"""The reference site in each of its phases: the examples of the documentation, on the lab's hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml

from tests.support.sites import reference

Phase = Literal[1, 2, 3]
EXAMPLES = Path(__file__).parents[2] / "docs/examples"
NO_FENCING = "containers have neither a watchdog nor a disk to share"


def example(phase: Phase) -> dict[str, Any]:
    """The declaration in docs/examples, as plain data that a test may change."""
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"phase-{phase}.yaml").read_text())
    site: dict[str, Any] = document["config"]["squid-ha:site"]
    return site


def on_machines(phase: Phase, run_directory: Path) -> dict[str, Any]:
    """With the way to the lab's machines, their disks, and times that fit an emulated guest."""
    site, lab = example(phase), reference(run_directory)
    site["ssh"] = lab["ssh"]
    if phase >= 2:
        site["pacemaker"] = lab["pacemaker"]
    if phase == 3:
        site["mirror"]["device"] = lab["mirror"]["device"]
        site["timeouts"] = lab["timeouts"]
    return site


def on_containers(phase: Phase, run_directory: Path) -> dict[str, Any]:
    """Phase 1 or 2 on the lab's containers, which have no disk to mirror and nothing to fence with."""
    site = on_machines(phase, run_directory)
    if phase >= 2:
        site["pacemaker"]["fencing"] = {"none": NO_FENCING}
    return site
