"""The lab's site as operators reach it, for tests on the pair."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from lab.paths import PROJECT
from operations.engines import engine_of
from operations.site import Hosts, hosts_of
from operations.status import Status, read_status
from providers.connection.errors import Unknown, Unreachable
from providers.connection.loop import run_sync
from providers.connection.pool import close_all

T = TypeVar("T")


def reach() -> Hosts:
    """The hosts of stack `lab`, by new connections: those from before a restore lead nowhere."""
    run_sync(close_all())
    return hosts_of("lab")


def until(wanted: Callable[[], T | None], what: str, limit: float = 600.0) -> T:
    """Ask until there is an answer; fails the test after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while (found := wanted()) is None:
        assert time.monotonic() < deadline, f"{what}: not within {limit:g} s"
        time.sleep(1)
    return found


def active(hosts: Hosts) -> str | None:
    """The node that runs the service; None while that cannot be told."""
    try:
        return hosts.run(engine_of(hosts.site).runtime.active_node(hosts.cluster()))
    except (Unknown, Unreachable):
        return None


def status(hosts: Hosts) -> Status | None:
    """How the site is; None while that cannot be told."""
    try:
        return hosts.run(read_status(hosts.cluster(), hosts.site))
    except (Unknown, Unreachable):
        return None


def healthy(hosts: Hosts) -> Status | None:
    """How the site is, once it is well."""
    found = status(hosts)
    return found if found is not None and found.sound else None


def ready() -> tuple[Hosts, str]:
    """The hosts of the pair that was just restored, once it is well, and its active node."""
    hosts = reach()
    found = until(lambda: healthy(hosts), "the restored pair is healthy")
    assert found.tree.active is not None
    return hosts, found.tree.active


def other(hosts: Hosts, node: str | None) -> str:
    """The node that is not this one."""
    return next(each.name for each in hosts.site.nodes if each.name != node)


def squid_ha(*words: str, limit: float = 1200) -> subprocess.CompletedProcess[str]:
    """The command, as an operator runs it."""
    command = [str(PROJECT / ".venv/bin/squid-ha"), *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=limit, check=False)
