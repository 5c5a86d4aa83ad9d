"""`squid-ha cleanup`: forget failures whose cause is gone."""

from __future__ import annotations

from operations.cli._act import run
from operations.cli._arguments import AsJson, StackName, pair_of


def command(stack: StackName, as_json: AsJson = False) -> None:
    """Forget failures, and remove constraints that tools left. What fails again is named."""
    hosts = pair_of(stack)
    done = "Failures are forgotten, and nothing failed again."
    run(hosts, "cleanup", lambda engine, cluster: engine.cleanup(cluster), done, as_json=as_json)
