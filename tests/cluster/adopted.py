"""What every pair that was adopted has to do, whoever built it by whatever engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.test_adopt_pcs import squid_ha
from tests.support.stack import Stack
from tests.support.things import Site


@dataclass(frozen=True)
class Way:
    """What `squid-ha adopt` is told of the way to the machines."""

    identity: Path
    known_hosts: Path
    directory: Path


def is_operated(hosts: Site, stack: Stack, serves: Callable[[], str], target: str) -> None:
    """Its state is shown, the service moves to ``target``, and the log has the records of before and after."""
    (asking, *_) = hosts.cluster.nodes
    status = squid_ha(stack, "status", stack.name)
    assert status.code == 0, status.output
    hosts.sh(asking, "curl -s -o /dev/null -x http://192.0.2.10:3128 http://192.0.2.1/by-hand-1")
    moved = squid_ha(stack, "switchover", stack.name)
    assert moved.code == 0, moved.output
    assert serves() == target
    hosts.sh(asking, "curl -s -o /dev/null -x http://192.0.2.10:3128 http://192.0.2.1/by-hand-2")
    records = squid_ha(stack, "logs", stack.name)
    assert "by-hand-1" in records.output, "records of before the move are missing"
    assert "by-hand-2" in records.output
